import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createSpdySession, KubeError, type SpdyStream } from '@skipper/kube';
import type { WebSocket } from 'ws';
import { badRequest, failure } from '../objects/failures.ts';
import { wholeNumber } from '../objects/listing.ts';
import type { NodeEndpoints, PodExecOptions, PodReference } from '../../contracts.ts';
import { acceptWebSocket, webSocketBytes } from './web-socket.ts';

const forwardProtocol = 'portforward.k8s.io';
const tunnelledForward = `SPDY/3.1+${forwardProtocol}`;
/** First byte of every message of an exec. */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;

/** Sends a container's output. */
export async function sendLog(node: NodeEndpoints, pod: PodReference, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const flag = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const numbers = Object.fromEntries(['tailLines', 'sinceSeconds', 'limitBytes'].map((name) => [name, wholeNumber(query, name)]));
  const log = await node.log(pod, {
    ...(query.get('container') ? { container: query.get('container')! } : {}),
    ...(query.get('sinceTime') ? { sinceTime: query.get('sinceTime')! } : {}),
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    ...numbers,
  });
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  // The reader's going away is the usual end of a followed log.
  await pipeline(log, response).catch(() => undefined);
}

export interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  query: URLSearchParams;
}

/** Carries connections to a pod's ports over SPDY streams, plain or inside a WebSocket. @throws before the upgrade when it cannot. */
export async function forwardPorts(node: NodeEndpoints, pod: PodReference, upgrade: Upgrade): Promise<void> {
  const { request } = upgrade;
  if (isWebSocket(request)) {
    const webSocket = await acceptWebSocket(upgrade, [tunnelledForward]);
    return serveForward(node, pod, webSocketBytes(webSocket));
  }
  requireSpdy(upgrade, [forwardProtocol], 'X-Stream-Protocol-Version');
  serveForward(node, pod, upgrade.socket);
}

interface Pending {
  error?: SpdyStream;
  data?: SpdyStream;
}

function serveForward(node: NodeEndpoints, pod: PodReference, transport: Duplex): void {
  const pending = new Map<string, Pending>();
  createSpdySession(transport, {
    server: true,
    onStream(stream) {
      const { requestid = '', streamtype, port } = stream.headers;
      if (streamtype !== 'error' && streamtype !== 'data') return void stream.destroy();
      stream.on('error', () => undefined);
      const pair = pending.get(requestid) ?? {};
      pair[streamtype] = stream;
      pending.set(requestid, pair);
      if (!pair.error || !pair.data) return;
      pending.delete(requestid);
      void connectPair(node, pod, Number(port), pair.data, pair.error);
    },
    onClose: () => pending.clear(),
  });
}

async function connectPair(node: NodeEndpoints, pod: PodReference, port: number, data: SpdyStream, error: SpdyStream): Promise<void> {
  error.resume();
  // Whatever becomes of the connection: clients wait for this end.
  data.once('close', () => error.destroyed || error.writableEnded || error.end());
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`"${port}" is not a port`);
    const socket = await node.dial(pod, port);
    if (data.destroyed) return void socket.destroy();
    socket.once('error', () => data.destroy());
    // Where both have ended it, each closes by itself once its last bytes are out. One that failed may look ended, and is not.
    const isOver = (): boolean => data.readableEnded && socket.readableEnded && !data.errored;
    socket.once('close', () => data.destroyed || isOver() || data.destroy());
    data.once('close', () => socket.destroyed || isOver() || socket.resetAndDestroy());
    data.pipe(socket).pipe(data);
    data.once('finish', () => error.end());
  } catch (cause) {
    error.end(`an error occurred forwarding ${port} -> ${port}: ${(cause as Error).message}`);
    data.end();
    data.resume();
  }
}

/** Runs a command beside a container's process, over a WebSocket or SPDY streams. */
export async function runCommand(node: NodeEndpoints, pod: PodReference, upgrade: Upgrade): Promise<void> {
  const { query, request } = upgrade;
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  const wants = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const aborting = new AbortController();
  const options = {
    command,
    tty: wants('tty'),
    signal: aborting.signal,
    ...(query.get('container') ? { container: query.get('container')! } : {}),
  };
  if (isWebSocket(request)) {
    const webSocket = await acceptWebSocket(upgrade, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    return runOverWebSocket(node, pod, options, wants, webSocket, aborting);
  }
  requireSpdy(upgrade, ['v4.channel.k8s.io'], 'X-Stream-Protocol-Version');
  await runOverSpdy(node, pod, options, wants, upgrade.socket, aborting);
}

type BareOptions = Omit<PodExecOptions, 'stdin' | 'stdout' | 'stderr'>;

async function runOverWebSocket(
  node: NodeEndpoints,
  pod: PodReference,
  options: BareOptions,
  wants: (name: string) => boolean,
  webSocket: WebSocket,
  aborting: AbortController,
): Promise<void> {
  const stdin = wants('stdin') ? new PassThrough() : undefined;
  const output = (number: number): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const message = Buffer.allocUnsafe(chunk.length + 1);
        message[0] = number;
        chunk.copy(message, 1);
        webSocket.send(message, () => done());
      },
    });
  webSocket.on('close', () => {
    stdin?.end();
    aborting.abort();
  });
  webSocket.on('error', () => aborting.abort());
  webSocket.on('message', (message: Buffer) => {
    if (message[0] === channel.close && message[1] === channel.stdin) stdin?.end();
    if (message[0] !== channel.stdin || !stdin || stdin.destroyed || stdin.writableEnded || stdin.write(message.subarray(1))) return;
    // What had been received before comes nevertheless.
    if (webSocket.isPaused) return;
    webSocket.pause();
    stdin.once('drain', () => webSocket.resume());
  });
  const status = await statusOf(
    node.exec(pod, { ...options, ...(stdin ? { stdin } : {}), stdout: output(channel.stdout), stderr: output(channel.stderr) }),
  );
  // Where the command has left some of it unread, the WebSocket is paused and would not see the peer's answer to its end.
  stdin?.destroy();
  webSocket.resume();
  webSocket.send(Buffer.concat([Buffer.from([channel.error]), Buffer.from(JSON.stringify(status))]), () => webSocket.close(1000));
}

async function runOverSpdy(
  node: NodeEndpoints,
  pod: PodReference,
  options: BareOptions,
  wants: (name: string) => boolean,
  socket: Duplex,
  aborting: AbortController,
): Promise<void> {
  const expected = ['error', ...['stdin', 'stdout', 'stderr'].filter(wants)];
  const streams = new Map<string, SpdyStream>();
  await new Promise<void>((resolve) => {
    const session = createSpdySession(socket, {
      server: true,
      onStream(stream) {
        stream.on('error', () => undefined);
        streams.set(stream.headers['streamtype'] ?? '', stream);
        if (expected.some((name) => !streams.has(name))) return;
        const [stdin, stdout, stderr] = ['stdin', 'stdout', 'stderr'].map((name) => streams.get(name));
        void statusOf(
          node.exec(pod, { ...options, ...(stdin ? { stdin } : {}), ...(stdout ? { stdout } : {}), ...(stderr ? { stderr } : {}) }),
        ).then(async (status) => {
          streams.get('error')!.end(JSON.stringify(status));
          stdout?.end();
          stderr?.end();
          stdin?.destroy();
          await Promise.all(
            [...streams.values()].map(
              (other) => other.writableFinished || other.destroyed || new Promise((done) => other.once('close', done).once('finish', done)),
            ),
          );
          session.close();
        });
      },
      onClose() {
        aborting.abort();
        resolve();
      },
    });
  });
}

/** How a command ended, as the error channel tells it. */
async function statusOf(ended: Promise<number>): Promise<object> {
  try {
    const exitCode = await ended;
    if (exitCode === 0) return { metadata: {}, status: 'Success' };
    return {
      metadata: {},
      status: 'Failure',
      reason: 'NonZeroExitCode',
      message: `command terminated with non-zero exit code: exit status ${exitCode}`,
      details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
    };
  } catch (error) {
    return error instanceof KubeError
      ? error.status
      : { metadata: {}, status: 'Failure', reason: 'InternalError', message: (error as Error).message, code: 500 };
  }
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Upgrades to SPDY/3.1 with one of `protocols`. @throws a 400 or 403 failure */
function requireSpdy({ request, socket, head }: Upgrade, protocols: readonly string[], header: string): void {
  if (request.headers.upgrade?.toLowerCase() !== 'spdy/3.1') throw badRequest('unable to upgrade: missing upgrade headers in request');
  const offered = String(request.headers[header.toLowerCase()] ?? '')
    .split(',')
    .map((name) => name.trim());
  const chosen = protocols.find((protocol) => offered.includes(protocol));
  if (!chosen)
    throw failure(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocols.join(' ')}]`,
    );
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${header}: ${chosen}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
}
