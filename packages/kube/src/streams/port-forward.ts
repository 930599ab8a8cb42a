import type { Duplex } from 'node:stream';
import type { ApiConnection } from '../connection.ts';
import { KubeError } from '../errors.ts';
import type { PortForward } from '../types.ts';
import { PortForwardStream } from './port-forward-stream.ts';
import { createSpdySession, type SpdySession } from './spdy-session.ts';
import { upgrade } from './upgrade.ts';

const spdyProtocol = 'SPDY/3.1';
const portForwardProtocol = 'portforward.k8s.io';

/** Up to this many connections have a session each, so that one that stalls holds up no other; more share them. */
const sessionLimit = 4;

/** Sessions that are made beyond the limit while all others are stalled. */
const stalledSessionLimit = 16;

/** Streams after which a session takes no more, because old API servers and kubelets keep a record of each until it ends. */
const streamLimit = 4000;

/** How often silent sessions are asked for a sign of life, in ms. */
const defaultHeartbeatMs = 5_000;

/** Beats without an answer: then new connections go elsewhere; then the session is given up; then even if it may be waiting for a slow pod. */
const suspectBeats = 1;
const deadBeats = 3;
const blockedBeats = 24;

/** After this silence, in ms, a session that is about to be used is asked for a sign of life at once. */
const silenceMs = 2_000;

/** How long more than one session is kept without a use, in ms. */
const idleMs = 60_000;

interface PooledSession {
  readonly session: SpdySession;
  /** Bytes received when last looked at, and for how many beats that has not changed though an answer is due. */
  received: number;
  receivedAt: number;
  beats: number;
  pinging: boolean;
  usedAt: number;
}

export interface PortForwardOptions {
  onClose?(): void;
  /** What tests turn; people need not. */
  heartbeatMs?: number;
}

/** Connections to the ports of one pod. Nothing is opened to the pod itself until {@link PortForward.connect}. */
export function openPortForward(connection: ApiConnection, pod: string, namespace: string, options: PortForwardOptions = {}): PortForward {
  return new PodPortForward(
    connection,
    options,
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/portforward`,
  );
}

class PodPortForward implements PortForward {
  readonly #connection: ApiConnection;
  readonly #onClose: (() => void) | undefined;
  readonly #path: string;
  readonly #pool = new Set<PooledSession>();
  readonly #waiting = new Set<PortForwardStream>();
  readonly #heartbeat: NodeJS.Timeout;
  #dialling: Promise<void> | undefined;
  #requestId = 0;
  #closed = false;

  constructor(connection: ApiConnection, { onClose, heartbeatMs = defaultHeartbeatMs }: PortForwardOptions, path: string) {
    this.#connection = connection;
    this.#onClose = onClose;
    this.#path = path;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs).unref();
  }

  async ready(): Promise<void> {
    if (this.#choose() === undefined) await this.#grow();
  }

  connect(port: number): Duplex {
    const stream = new PortForwardStream(port, this.#requestId++);
    if (this.#closed) {
      stream.failWith(new Error('the port-forward is closed'));
      return stream;
    }
    const chosen = this.#choose();
    if (chosen === undefined) {
      this.#waiting.add(stream);
      stream.once('close', () => this.#waiting.delete(stream));
      this.#grow().catch(() => {});
      return stream;
    }
    stream.openOn(chosen.session);
    chosen.usedAt = Date.now();
    if (Date.now() - chosen.receivedAt > silenceMs) this.#ping(chosen);
    // The next connection finds a session of its own.
    if (this.#openCount() < sessionLimit && !this.#hasIdle()) this.#grow().catch(() => {});
    return stream;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const stream of this.#waiting) stream.failWith(new Error('the port-forward was closed'));
    for (const { session } of this.#pool) session.close();
    this.#onClose?.();
  }

  /** The session with the fewest streams among those that work. */
  #choose(): PooledSession | undefined {
    let best: PooledSession | undefined;
    for (const pooled of this.#pool) {
      if (usable(pooled) && (best === undefined || pooled.session.streamCount < best.session.streamCount)) best = pooled;
    }
    return best;
  }

  #hasIdle(): boolean {
    for (const pooled of this.#pool) if (usable(pooled) && pooled.session.streamCount === 0) return true;
    return false;
  }

  /** Sessions but those that only wait for their last stream to end: there may be any number of these. */
  #openCount(): number {
    let count = 0;
    for (const pooled of this.#pool) if (takesStreams(pooled)) count++;
    return count;
  }

  /** Makes one more session; at most one is being made at a time. Connections that wait for it fail with it. */
  #grow(): Promise<void> {
    this.#dialling ??= this.#dial().then(
      (pooled) => {
        for (const stream of this.#takeWaiting()) stream.openOn(pooled.session);
      },
      (error: Error) => {
        // With another session in working order the failure is no connection's.
        const other = this.#choose();
        for (const stream of this.#takeWaiting()) {
          if (other) stream.openOn(other.session);
          else stream.failWith(error);
        }
        throw error;
      },
    );
    return this.#dialling;
  }

  /** The connections that waited for the session just made or not made. Those that begin from now on wait for the next. */
  #takeWaiting(): PortForwardStream[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#dialling = undefined;
    return waiting;
  }

  async #dial(): Promise<PooledSession> {
    if (this.#openCount() >= stalledSessionLimit) throw new Error('every connection to the API server is held up by a slow reader');
    const transport = await this.#transport();
    if (this.#closed) {
      transport.destroy();
      throw new Error('the port-forward was closed');
    }
    const session = createSpdySession(transport, { server: false, onClose: () => this.#pool.delete(pooled) });
    const pooled: PooledSession = { session, received: 0, receivedAt: Date.now(), beats: 0, pinging: false, usedAt: Date.now() };
    this.#pool.add(pooled);
    return pooled;
  }

  async #transport(): Promise<Duplex> {
    let refusal: KubeError;
    try {
      return await upgrade(this.#connection, this.#path, spdyProtocol, { 'x-stream-protocol-version': portForwardProtocol });
    } catch (error) {
      if (!(error instanceof KubeError) || isFinal(error)) throw error;
      refusal = error;
    }
    // A server or proxy that does not know SPDY may let the same bytes through in a WebSocket (Kubernetes 1.31 and later).
    try {
      // Most servers need no WebSocket, and importing one takes longer than importing all of this package.
      const { openWebSocket, webSocketDuplex } = await import('./websocket.ts');
      return webSocketDuplex(await openWebSocket(this.#connection, this.#path, [`${spdyProtocol}+${portForwardProtocol}`]));
    } catch {
      throw refusal;
    }
  }

  #ping(pooled: PooledSession): void {
    if (pooled.pinging) return;
    pooled.pinging = true;
    void pooled.session.ping().then(() => {
      pooled.pinging = false;
    });
  }

  #beat(): void {
    let idle = 0;
    for (const pooled of this.#pool) {
      const { session } = pooled;
      if (session.receivedBytes !== pooled.received) {
        pooled.received = session.receivedBytes;
        pooled.receivedAt = Date.now();
        pooled.beats = 0;
      } else if (session.stalled || !pooled.pinging) {
        pooled.beats = 0;
      } else {
        pooled.beats++;
      }
      if (pooled.beats >= (session.blocked ? blockedBeats : deadBeats)) {
        session.destroy(new Error('the API server does not answer'));
        continue;
      }
      if (!session.stalled) this.#ping(pooled);
      if (session.streamCount > 0) pooled.usedAt = Date.now();
      else if (!usable(pooled) || (++idle > 1 && Date.now() - pooled.usedAt > idleMs)) session.close();
    }
  }
}

function usable(pooled: PooledSession): boolean {
  const { session, beats } = pooled;
  return takesStreams(pooled) && !session.stalled && !session.blocked && beats < suspectBeats;
}

function takesStreams({ session }: PooledSession): boolean {
  return session.open && session.openedStreams < streamLimit;
}

/** Whether Kubernetes itself has said no, for a reason that another protocol does not change. */
function isFinal(error: KubeError): boolean {
  return error.status.kind === 'Status' && [401, 403, 404, 500].includes(error.code);
}
