import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { KubeError } from '../errors.ts';
import { PortForwardError } from './port-forward-stream.ts';
import type { TunnelTarget } from './tunnel-target.ts';

/** What a client has sent is kept for another try until the pod's first byte, up to this many bytes. */
const replayLimit = 64 * 1024;

/** Bytes that wait for a client that does not read before the stream is paused. */
const clientBacklog = 256 * 1024;

/** How long a Ready pod may refuse connections before that is believed, in ms: news of a crash take a moment. */
const refusedMs = 10_000;

/** Waits between tries, in ms. */
const firstRetryMs = 50;
const longestRetryMs = 1_000;

export interface TunnelConnectionOptions {
  target: TunnelTarget;
  port: number;
  waitForPodMs: number;
  /** The connection could not be made, and why. */
  onFailure(error: Error): void;
}

/** Carries one accepted connection to the pod: bytes, half-closes and resets both ways. */
export class TunnelConnection {
  readonly #local: Socket;
  readonly #options: TunnelConnectionOptions;
  readonly #gone = new AbortController();
  #remote: Duplex | undefined;
  /** What the client sent, while it may have to be sent again. */
  #replay: Buffer[] | undefined = [];
  #replayLength = 0;
  #localEnded = false;

  constructor(local: Socket, options: TunnelConnectionOptions) {
    this.#local = local;
    this.#options = options;
    local.on('data', (chunk: Buffer) => this.#fromClient(chunk));
    local.on('end', () => {
      this.#localEnded = true;
      this.#remote?.end();
    });
    local.on('drain', () => this.#remote?.resume());
    local.on('error', () => {});
    local.on('close', () => {
      this.#gone.abort();
      this.#remote?.destroy();
    });
    this.#connect().catch((error: Error) => {
      if (!this.#gone.signal.aborted) options.onFailure(error);
      local.resetAndDestroy();
    });
  }

  async #connect(): Promise<void> {
    const { target, port, waitForPodMs } = this.#options;
    const deadline = Date.now() + waitForPodMs;
    let refusedUntil = Infinity;
    for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      const waitedFrom = Date.now();
      const forward = await target.whenReady(deadline, this.#gone.signal);
      if (Date.now() - waitedFrom > longestRetryMs || refusedUntil === Infinity) refusedUntil = Date.now() + refusedMs;
      const failure = await this.#carry(forward.connect(port));
      if (failure === undefined) return;
      if (this.#gone.signal.aborted || !this.#mayRetry(failure) || Date.now() >= Math.min(deadline, refusedUntil)) throw failure;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  #mayRetry(failure: Error): boolean {
    if (this.#replay === undefined || !(failure instanceof PortForwardError) || failure.delivered) return false;
    return !(failure.cause instanceof KubeError && (failure.cause.code === 401 || failure.cause.code === 403));
  }

  /** Resolves when `remote` is over: with its error if the pod has not answered with a byte. */
  #carry(remote: Duplex): Promise<Error | undefined> {
    const local = this.#local;
    this.#remote = remote;
    for (const chunk of this.#replay ?? []) remote.write(chunk);
    if (this.#localEnded) remote.end();
    else local.resume();
    return new Promise((resolve) => {
      let answered = false;
      remote.on('data', (chunk: Buffer) => {
        answered = true;
        this.#replay = undefined;
        this.#toClient(chunk);
        if (local.writableLength > clientBacklog) remote.pause();
      });
      remote.on('drain', () => local.resume());
      remote.on('end', () => {
        if (remote.errored) return;
        answered = true;
        local.end();
      });
      remote.on('error', () => {});
      remote.on('close', () => {
        if (remote.errored && !answered) return resolve(remote.errored);
        resolve(undefined);
        if (!remote.errored || local.destroyed) return;
        // The client gets what had arrived, then learns that this was not the end.
        const reset = (): void => void local.resetAndDestroy();
        if (local.writableLength === 0) reset();
        else if (local.writableEnded) local.once('finish', reset);
        // There need not be a 'drain': what waits may be too little to hold anybody back.
        else local.write('', reset);
      });
    });
  }

  /** What arrives in one turn of the event loop, often several TLS records, leaves in one write. */
  #toClient(chunk: Buffer): void {
    const local = this.#local;
    if (local.writableCorked === 0) {
      local.cork();
      process.nextTick(() => local.uncork());
    }
    local.write(chunk);
  }

  #fromClient(chunk: Buffer): void {
    if (this.#replay) {
      this.#replayLength += chunk.length;
      if (this.#replayLength <= replayLimit) this.#replay.push(chunk);
      else if (this.#remote && !this.#remote.destroyed) this.#replay = undefined;
      else {
        this.#replay.push(chunk);
        this.#local.pause();
        return;
      }
    }
    const remote = this.#remote;
    if (remote && !remote.destroyed && !remote.write(chunk)) this.#local.pause();
  }
}
