import { Agent, request as httpRequest, type ClientRequest, type ClientRequestArgs, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { KipError } from '@skipper/api';
import type { ApiConnection } from './connection.ts';
import { DialError } from './unreachable.ts';

export interface HttpRequest {
  method: string;
  /** With the query, below the connection's base path. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** Whether sending twice does the same as sending once. Default false. */
  safe?: boolean;
}

/** A whole answer. */
export interface HttpAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
  /** The Authorization header of the request. */
  authorization: string | undefined;
}

/** A failure after the connection stood: `stale` tells of a kept connection that the server had closed before it answered anything. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly stale: boolean;

  constructor(cause: unknown, stale: boolean) {
    super('no answer', { cause });
    this.stale = stale;
  }
}

/** Requests to one API server over one pool of kept connections. Streams (watches, logs) use it too. */
export interface HttpPool {
  /** The whole answer, whatever its status. @throws DialError, TransportError, KipError of the credentials, the signal's reason */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Resolves with the head of the answer; the body is the caller's to read and to destroy. Throws like {@link send}. */
  open(request: HttpRequest): Promise<{ response: IncomingMessage; authorization: string | undefined }>;
  readonly closed: boolean;
  /** Uses no connection any more that was made before: the client certificate belongs to the connection. */
  renew(): void;
  /** Ends every connection. */
  close(): void;
}

/** Ordinary requests at once. More would only open more connections, each a TLS handshake, to wait in the server instead of here. */
const mostAtOnce = 32;

export function createHttpPool(connection: ApiConnection): HttpPool {
  const agent = new DialingAgent(connection);
  const slots = new Slots(mostAtOnce);
  let closed = false;

  const open = async ({
    method,
    path,
    headers,
    body,
    signal,
    safe,
  }: HttpRequest): Promise<{ response: IncomingMessage; authorization: string | undefined }> => {
    if (closed) throw new Error('the Kubernetes client is closed');
    signal?.throwIfAborted();
    const ours = await connection.headers();
    if (!safe) await closedConnectionsSeen();
    signal?.throwIfAborted();
    const request = httpRequest({
      agent,
      generation: agent.generation,
      method,
      path: connection.basePath + path,
      host: connection.server.host,
      headers: {
        ...ours,
        accept: 'application/json',
        ...headers,
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      setHost: false,
    } as ClientRequestArgs);
    return { response: await head(request, body, signal, connection.answerTimeoutMs), authorization: ours['authorization'] };
  };

  return {
    open,
    async send(request) {
      const release = await slots.take(request.signal);
      try {
        const { response, authorization } = await open(request);
        return { status: response.statusCode!, headers: response.headers, body: await text(response, request.signal), authorization };
      } finally {
        release();
      }
    },
    get closed() {
      return closed;
    },
    renew: () => agent.renew(),
    close() {
      closed = true;
      agent.destroy();
    },
  };
}

/** Gets its connections from {@link ApiConnection.dial}, TLS or not. */
class DialingAgent extends Agent {
  readonly #connection: ApiConnection;
  #generation = 0;
  readonly #generations = new WeakMap<Duplex, number>();
  readonly #closing = new AbortController();

  constructor(connection: ApiConnection) {
    // The newest idle connection is the one that the server closes last.
    super({ keepAlive: true, scheduling: 'lifo', keepAliveMsecs: 15_000, maxFreeSockets: mostAtOnce });
    this.#connection = connection;
  }

  /** Connections of one name are interchangeable. It is asked for again when a connection comes free, with the options of its making. */
  override getName(options?: ClientRequestArgs & { generation?: number }): string {
    return String(options?.generation);
  }

  get generation(): number {
    return this.#generation;
  }

  override createConnection(
    { generation }: ClientRequestArgs & { generation?: number },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connection.dial(this.#closing.signal).then(
      (socket) => {
        this.#generations.set(socket, generation!);
        callback?.(null, socket);
      },
      (error: unknown) => callback?.(new DialError(error), undefined as unknown as Duplex),
    );
  }

  /** Nobody asks again for a connection from before a renewal. */
  override keepSocketAlive(socket: Duplex): boolean | void {
    return this.#generations.get(socket) === this.#generation && super.keepSocketAlive(socket);
  }

  renew(): void {
    this.#generation += 1;
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  override destroy(): void {
    this.#closing.abort(new Error('the Kubernetes client is closed'));
    super.destroy();
  }
}

/**
 * Resolves after the event loop has looked at every socket. A server that restarts closes idle connections; a request that
 * must not be sent twice had better not find out by going down with one of them.
 */
async function closedConnectionsSeen(): Promise<void> {
  // The first may come in the middle of a look.
  await nextPhase();
  await nextPhase();
}

const nextPhase = promisify(setImmediate);

/** Sends the request and resolves with the head of the answer. */
function head(
  request: ClientRequest,
  body: string | Uint8Array | undefined,
  signal: AbortSignal | undefined,
  answerTimeoutMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      request.destroy(signal!.reason as Error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal?.removeEventListener('abort', onAbort);
    let begun: IncomingMessage | undefined;
    request.setTimeout(answerTimeoutMs, () =>
      (begun ?? request).destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
    );
    request.on('response', (response) => {
      begun = response;
      done();
      resolve(response);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      done();
      if (signal?.aborted) return reject(signal.reason);
      if (error instanceof DialError) return reject(error);
      reject(new TransportError(error, request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')));
    });
    request.end(body);
  });
}

/** Reads the body to its end. */
function text(response: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const onAbort = (): void => {
      response.destroy();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const fail = (error: unknown): void => {
      signal?.removeEventListener('abort', onAbort);
      reject(signal?.aborted ? signal.reason : new TransportError(error, false));
    };
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8'));
    });
    response.on('error', fail);
    response.on('close', () => {
      if (!response.complete) fail(Object.assign(new Error('the answer broke off'), { code: 'ECONNRESET' }));
    });
    if (signal?.aborted) onAbort();
  });
}

/** A semaphore, first come, first served. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(signal: AbortSignal | undefined): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
    if (signal?.aborted) {
      release();
      throw signal.reason;
    }
    return release;
  }
}

/** The KipError for a request that failed below HTTP; anything else is returned as it is. */
export function asUnreachable(connection: ApiConnection, error: unknown): unknown {
  if (error instanceof KipError) return error;
  if (error instanceof DialError || error instanceof TransportError) return connection.unreachable(error.cause);
  return error;
}
