import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { pods } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';

/** Fields that may come and go; a merge patch has to name one that is gone. */
const passing = ['message', 'reason', 'initContainerStatuses'] as const;
const firstWaitMs = 100;
const longestWaitMs = 5_000;

/** Writes a pod's status: one request at a time, always the newest, again until it is accepted, and nothing that is written already. */
export class StatusWriter {
  readonly #client: KubeClient;
  readonly #pod: Pod;
  readonly #next: (written: PodStatus) => PodStatus;
  readonly #closing = new AbortController();
  #written: PodStatus;
  #dirty = false;
  #writing: Promise<void> | undefined;

  /** @param next what the status should say now, given what was written last. */
  constructor(client: KubeClient, pod: Pod, next: (written: PodStatus) => PodStatus) {
    this.#client = client;
    this.#pod = pod;
    this.#next = next;
    this.#written = pod.status ?? {};
  }

  changed(): void {
    this.#dirty = true;
    this.#writing ??= this.#run().finally(() => {
      this.#writing = undefined;
      if (this.#dirty && !this.#closing.signal.aborted) this.changed();
    });
  }

  /** Resolves when what is, is written. */
  async settled(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Gives up what is not written yet. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
  }

  async #run(): Promise<void> {
    // Changes of one turn are one request.
    await Promise.resolve();
    const { signal } = this.#closing;
    for (let wait = firstWaitMs; this.#dirty && !signal.aborted;) {
      this.#dirty = false;
      try {
        await this.#write();
        wait = firstWaitMs;
      } catch (error) {
        // Gone, or another pod of the same name.
        if (hasReason(error, 'NotFound', 'Conflict')) return;
        this.#dirty = true;
        await delay(wait, undefined, { signal }).catch(() => undefined);
        wait = Math.min(wait * 2, longestWaitMs);
      }
    }
  }

  async #write(): Promise<void> {
    const { name, namespace, uid } = this.#pod.metadata!;
    const status = JSON.parse(JSON.stringify(this.#next(this.#written))) as PodStatus;
    if (
      Object.entries(status).every(([field, value]) => isDeepStrictEqual(value, this.#written[field as keyof PodStatus])) &&
      passing.every((field) => field in status === (this.#written[field] !== undefined))
    )
      return;
    const gone = Object.fromEntries(passing.filter((field) => !(field in status)).map((field) => [field, null]));
    await this.#client.patch(
      pods,
      name!,
      { metadata: { uid }, status: { ...gone, ...status } },
      { namespace: namespace!, subresource: 'status', signal: this.#closing.signal },
    );
    this.#written = status;
  }
}
