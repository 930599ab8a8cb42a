import { EventEmitter } from 'node:events';
import { addAbortSignal, PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { KubeError, type KubeClient } from '@skipper/kube';
import { printLogs } from './print-logs.ts';

/** A client of one pod's name, whose logs are those of the pod that has it at the moment. */
class OnePod {
  readonly #events = new EventEmitter();
  #pod = this.#podOf('first');
  #log = new PassThrough();

  #podOf(uid: string): Pod {
    const containerStatuses = [{ name: 'main', image: '', imageID: '', ready: true, restartCount: 0, state: { running: {} } }];
    return { metadata: { name: 'db-0', namespace: 'n', uid, resourceVersion: '1' }, status: { phase: 'Running', containerStatuses } };
  }

  readonly client = {
    list: async () => ({ items: [this.#pod], resourceVersion: '1' }),
    find: async () => this.#pod,
    // Every reader gets what the pod prints.
    logs: async (_name: string, { signal }: { signal: AbortSignal }) => {
      if (this.#log.destroyed) throw new KubeError(400, { message: 'ContainerCreating' });
      return addAbortSignal(signal, this.#log.pipe(new PassThrough()));
    },
    watch: () => ({ [Symbol.asyncIterator]: () => this.#watch() }),
  } as unknown as KubeClient;

  async *#watch() {
    for (;;) yield (await new Promise((resolve) => this.#events.once('event', resolve))) as never;
  }

  print(line: string): void {
    this.#log.write(`${new Date().toISOString()} ${line}\n`);
  }

  async replace(): Promise<void> {
    const before = this.#pod;
    const ended = this.#log;
    this.#pod = this.#podOf('second');
    this.#log = new PassThrough();
    ended.end();
    this.#events.emit('event', { type: 'DELETED', object: before });
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.#events.emit('event', { type: 'ADDED', object: this.#pod });
  }
}

it('prints what the others printed when a pod goes while it is asked', async () => {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((printed += String(chunk)), true));
  const notes = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const client = {
      list: async () => ({ items: ['a-going', 'b-staying'].map((name) => ({ metadata: { name } })) }),
      logs: async (name: string) => {
        if (name === 'a-going') throw new KubeError(404, { reason: 'NotFound', message: 'pods "a-going" not found' });
        return [`${new Date().toISOString()} one\n`];
      },
    } as unknown as KubeClient;
    await printLogs(client, { namespace: 'n', what: 'App "api"' }, {});
    expect(notes.mock.calls.flat().join('')).toContain('pods "a-going" not found');
  } finally {
    write.mockRestore();
    notes.mockRestore();
  }
  expect(printed).toMatch(/b-staying\S* one\n$/);
});

it('prints what a pod that takes the name of another prints, once and without a name', async () => {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((printed += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const pod = new OnePod();
    const printing = printLogs(pod.client, { namespace: 'n', what: 'Service "db"' }, { follow: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    pod.print('one');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pod.replace();
    // Longer than the first follower waits before it looks again.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    pod.print('two');
    await vi.waitFor(() => expect(printed).toContain('two'), 10_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.emit('SIGINT');
    await printing;
  } finally {
    write.mockRestore();
  }
  expect(printed).toBe('one\ntwo\n');
});
