import { setTimeout as pause } from 'node:timers/promises';
import { StringDecoder } from 'node:string_decoder';
import { KipError, pods } from '@skipper/api';
import { KubeError, type KubeClient } from '@skipper/kube';

export interface PodLogOptions {
  namespace: string;
  follow?: boolean | undefined;
  tailLines?: number | undefined;
  sinceSeconds?: number | undefined;
  previous?: boolean | undefined;
  /** Of the pod: the next one of its name is another. */
  uid?: string | undefined;
  signal: AbortSignal;
}

const reopenAfterMs = 1000;

/**
 * The lines that a pod's program printed. With `follow`, through restarts of its container and lost connections, each line once, until
 * the pod has ended or is gone.
 */
export async function* podLog(client: KubeClient, pod: string, options: PodLogOptions): AsyncGenerator<string> {
  const { follow, signal, uid, ...rest } = options;
  const place = new Place();
  for (;;) {
    const from = place.since ?? { tailLines: rest.tailLines, sinceSeconds: rest.sinceSeconds };
    try {
      const log = await client.logs(pod, {
        namespace: rest.namespace,
        ...definedOf(from),
        previous: rest.previous ?? false,
        follow: follow ?? false,
        timestamps: true,
        signal,
      });
      for await (const line of lines(log)) {
        const text = place.isNew(line);
        if (text !== undefined) yield text;
      }
      if (!follow) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!follow || !mayComeBack(error)) throw error;
    }
    const goesOn = async (): Promise<boolean> => !signal.aborted && (await isAlive(client, pod, rest.namespace, uid));
    if (!(await goesOn())) return;
    await pause(reopenAfterMs, undefined, { signal }).catch(() => undefined);
    // By now the next pod may have its name.
    if (!(await goesOn())) return;
    place.reopen();
  }
}

/** A container that has not started yet, or a connection that was lost. */
function mayComeBack(error: unknown): boolean {
  if (error instanceof KubeError) return error.code === 400 || error.code >= 500;
  return !(error instanceof KipError) || error.code === 'unreachable';
}

async function isAlive(client: KubeClient, pod: string, namespace: string, uid: string | undefined): Promise<boolean> {
  const now = await client.find(pods, pod, { namespace }).catch(() => null);
  // Who cannot be asked is asked again later.
  if (now === null) return true;
  return (
    now !== undefined && (uid ?? now.metadata?.uid) === now.metadata?.uid && !['Succeeded', 'Failed'].includes(now.status?.phase ?? '')
  );
}

/** Where in a log the reader is, by its lines' times. */
class Place {
  #last = '';
  /** Lines that had the last time. */
  #seen = 0;
  #skip = 0;
  #opened = '';

  get since(): { sinceSeconds: number } | undefined {
    return this.#last === '' ? undefined : { sinceSeconds: Math.max(1, Math.ceil((Date.now() - Date.parse(this.#last)) / 1000) + 1) };
  }

  reopen(): void {
    this.#opened = this.#last;
    this.#skip = this.#seen;
  }

  /** The line without its time, or `undefined` when it was there before. */
  isNew(line: string): string | undefined {
    const at = line.indexOf(' ');
    const time = at < 0 ? line : line.slice(0, at);
    const text = at < 0 ? '' : line.slice(at + 1);
    if (Number.isNaN(Date.parse(time))) return line;
    if (isBefore(time, this.#opened)) return undefined;
    if (time === this.#opened && this.#skip > 0) {
      this.#skip -= 1;
      return undefined;
    }
    this.#seen = time === this.#last ? this.#seen + 1 : 1;
    this.#last = time;
    return text;
  }
}

/** RFC 3339 with up to nine digits of a second, zeros at the end left out: more than a Date holds. */
function isBefore(a: string, b: string): boolean {
  if (b === '' || a === b) return false;
  const [x, y] = [Date.parse(a), Date.parse(b)];
  if (x !== y) return x < y;
  const fraction = (time: string): string => (/\.(\d+)/.exec(time)?.[1] ?? '').padEnd(9, '0');
  return fraction(a) < fraction(b);
}

async function* lines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(chunk);
    const parts = rest.split('\n');
    rest = parts.pop()!;
    yield* parts;
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
}

function definedOf<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
