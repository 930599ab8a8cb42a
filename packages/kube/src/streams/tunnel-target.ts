import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { KipError, pods } from '@skipper/api';
import { createInformer } from '../informer.ts';
import type { Informer, KubeClient, PortForward, TunnelOptions } from '../types.ts';

/** How long a new connection waits for the first news of the pod, in ms; then it is tried blindly (watching may be forbidden). */
const firstNewsMs = 3_000;

/** Follows one pod by name through its lives and holds a port-forward to the present one. */
export class TunnelTarget {
  readonly #client: KubeClient;
  readonly #options: TunnelOptions;
  readonly #informer: Informer<Pod>;
  readonly #waiting = new Set<() => void>();
  readonly #bornAt = Date.now();
  #forward: PortForward | undefined;
  /** Of the pod that {@link #forward} leads to; empty when that is not known. */
  #uid = '';
  #ready = false;
  #wasReady = false;
  #closed = false;

  constructor(client: KubeClient, options: TunnelOptions) {
    this.#client = client;
    this.#options = options;
    this.#informer = createInformer(client, pods, { namespace: options.namespace, fieldSelector: `metadata.name=${options.pod}` });
    this.#informer.subscribe(({ type, object }) => this.#saw(type === 'DELETED' ? undefined : object, object));
  }

  /**
   * Resolves with a port-forward to the pod once it is Ready.
   * @throws KipError `timeout` at `deadline` (ms since the epoch), the signal's reason.
   */
  async whenReady(deadline: number, signal: AbortSignal): Promise<PortForward> {
    while (!this.#closed) {
      signal.throwIfAborted();
      if (this.#ready) return this.#current();
      if (!this.#informer.hasSynced && Date.now() >= this.#bornAt + firstNewsMs) return this.#current();
      if (Date.now() >= deadline) break;
      await this.#news(
        Math.min(deadline, this.#informer.hasSynced ? deadline : Math.max(this.#bornAt + firstNewsMs, Date.now() + 100)),
        signal,
      );
    }
    throw new KipError('timeout', `Pod "${this.#options.pod}" in namespace "${this.#options.namespace}" is not ready.`);
  }

  close(): void {
    this.#closed = true;
    this.#informer.close();
    this.#forward?.close();
    this.#wake();
  }

  #current(): PortForward {
    this.#forward ??= this.#client.portForward(this.#options.pod, { namespace: this.#options.namespace });
    return this.#forward;
  }

  #saw(pod: Pod | undefined, last: Pod): void {
    const uid = last.metadata?.uid ?? '';
    if (pod === undefined) {
      if (uid === this.#uid || this.#uid === '') this.#replace('');
    } else {
      if (uid !== this.#uid) this.#replace(uid);
      if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') this.#replace(uid);
    }
    const ready = pod !== undefined && isReady(pod);
    if (ready === this.#ready) return;
    this.#ready = ready;
    if (ready) {
      // The first connection finds its way prepared.
      this.#current()
        .ready()
        .catch(() => {});
      if (this.#wasReady) this.#options.onNotice?.(`Pod "${this.#options.pod}" is ready again.`);
      this.#wasReady = true;
      this.#wake();
    } else {
      this.#options.onNotice?.(`Pod "${this.#options.pod}" is not ready; new connections wait for it.`);
    }
  }

  /** The pod that connections led to is gone: they end now. */
  #replace(uid: string): void {
    this.#uid = uid;
    this.#forward?.close();
    this.#forward = undefined;
  }

  #news(until: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, until - Date.now());
      signal.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

function isReady(pod: Pod): boolean {
  return (
    pod.metadata?.deletionTimestamp === undefined &&
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
  );
}
