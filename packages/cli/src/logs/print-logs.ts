import { once } from 'node:events';
import { KipError, pods } from '@skipper/api';
import { createInformer, KubeError, type KubeClient } from '@skipper/kube';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { colors, note, printable } from '../output.ts';
import { stopRequested } from '../stop-requested.ts';
import { podLog } from './pod-log.ts';

export interface LogCommandOptions {
  follow?: boolean;
  tail?: number;
  /** Seconds. */
  since?: number;
  previous?: boolean;
}

interface Selection {
  namespace: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** As messages name it: `App "api"`. */
  what: string;
}

/** Prints what the selected pods printed, each line after its pod's name when there are several. */
export async function printLogs(client: KubeClient, selection: Selection, options: LogCommandOptions): Promise<void> {
  if (options.follow && options.previous)
    throw new KipError('usage', '--follow and --previous exclude each other.', {
      hint: 'What ran before the restart prints nothing any more.',
    });
  const stop = new AbortController();
  void stopRequested().then(() => stop.abort());
  const { tail, since, ...rest } = options;
  const settings = {
    ...rest,
    namespace: selection.namespace,
    tailLines: tail,
    sinceSeconds: since === undefined ? undefined : Math.max(1, Math.ceil(since)),
    signal: stop.signal,
  };
  if (options.follow) return followAll(client, selection, settings);
  const found = (await client.list(pods, select(selection))).items.sort(byAge);
  if (found.length === 0) return note(`${selection.what} has no pods.`);
  for (const pod of found) {
    const { name } = pod.metadata!;
    try {
      for await (const line of podLog(client, name!, settings)) await write(found.length > 1 ? name : undefined, line);
    } catch (error) {
      // It has not started, or went since it was listed. Its neighbours have printed something all the same.
      if (!(error instanceof KubeError) || ![400, 404].includes(error.code)) throw error;
      note(`  ${name}: ${printable(error.message)}`);
    }
  }
}

const select = ({ namespace, labelSelector, fieldSelector }: Selection) => ({
  namespace,
  ...(labelSelector && { labelSelector }),
  ...(fieldSelector && { fieldSelector }),
});

const byAge = (a: Pod, b: Pod): number =>
  (a.metadata!.creationTimestamp ?? '').localeCompare(b.metadata!.creationTimestamp ?? '') ||
  a.metadata!.name!.localeCompare(b.metadata!.name!);

const hasStarted = ({ status }: Pod): boolean =>
  status?.containerStatuses?.some(
    ({ state, restartCount }) => state?.running !== undefined || state?.terminated !== undefined || restartCount > 0,
  ) ?? false;

async function followAll(client: KubeClient, selection: Selection, settings: Parameters<typeof podLog>[2]): Promise<void> {
  const informer = createInformer(client, pods, select(selection));
  const followed = new Map<string, Promise<void>>();
  const names = new Set<string>();
  let first = true;
  const { signal } = settings;
  const end = once(signal, 'abort');
  informer.subscribe(({ type, object }) => {
    const { uid, name } = object.metadata!;
    if (type === 'DELETED' || followed.has(uid!) || !hasStarted(object)) return;
    // Of a pod that comes later everything is new.
    const own = { ...settings, uid, ...(first ? {} : { tailLines: undefined, sinceSeconds: undefined }) };
    names.add(name!);
    followed.set(
      uid!,
      follow(client, name!, own, () => names.size > 1),
    );
  });
  await Promise.race([informer.synced(), end]);
  first = false;
  if (followed.size === 0 && !signal.aborted) note(`  ${selection.what} has printed nothing yet; waiting.`);
  await (signal.aborted ? undefined : end);
  informer.close();
  await Promise.all(followed.values());
}

async function follow(client: KubeClient, name: string, settings: Parameters<typeof podLog>[2], severalPods: () => boolean): Promise<void> {
  try {
    for await (const line of podLog(client, name, settings)) await write(severalPods() ? name : undefined, line);
  } catch (error) {
    if (!settings.signal.aborted) note(`  ${name}: ${printable((error as Error).message)}`);
  }
}

/** One for all pods that wait. */
let drained: Promise<unknown> | undefined;

async function write(pod: string | undefined, line: string): Promise<void> {
  const text = pod === undefined ? line : `${colors.cyan(pod)} ${line}`;
  if (!process.stdout.write(`${text}\n`)) await (drained ??= once(process.stdout, 'drain').finally(() => (drained = undefined)));
}
