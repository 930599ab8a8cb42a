import { once } from 'node:events';
import { finished, type Writable } from 'node:stream';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import type { WebSocket } from 'ws';
import type { ApiConnection } from '../connection.ts';
import { KubeError } from '../errors.ts';
import type { ExecOptions } from '../types.ts';
import { createSpdySession, type SpdySession } from './spdy-session.ts';
import { upgrade } from './upgrade.ts';
import { openWebSocket } from './websocket.ts';

/** First byte of every message. https://kubernetes.io/docs/reference/generated/kubernetes-api (remotecommand, v5.channel.k8s.io) */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;

/** With v5 alone the end of standard input can be said (Kubernetes 1.29 and later). */
const closableProtocol = 'v5.channel.k8s.io';
const plainProtocol = 'v4.channel.k8s.io';

/** Bytes that may wait in the WebSocket before standard input is held back. */
const writeLimit = 512 * 1024;

/**
 * Runs a command in a container, over a WebSocket; over SPDY when there is a standard input and the server cannot be told its end
 * in a WebSocket.
 * @returns the exit code.
 * @throws KubeError when the command could not be started, the signal's reason when it was aborted.
 */
export async function execInPod(connection: ApiConnection, pod: string, options: ExecOptions & { namespace: string }): Promise<number> {
  options.signal?.throwIfAborted();
  const path = execPath(pod, options);
  const stdin = options.stdin !== undefined;
  let webSocket: WebSocket;
  try {
    webSocket = await openWebSocket(connection, path, stdin ? [closableProtocol] : [closableProtocol, plainProtocol], options.signal);
  } catch (error) {
    if (!stdin || !isRefusedProtocol(error)) throw error;
    return execOverSpdy(connection, path, options);
  }
  return execOverWebSocket(webSocket, options);
}

function execPath(pod: string, { namespace, container, command, stdin, stdout, stderr, tty }: ExecOptions & { namespace: string }): string {
  const query = new URLSearchParams(command.map((argument): [string, string] => ['command', argument]));
  if (container !== undefined) query.set('container', container);
  for (const [name, wanted] of Object.entries({ stdin, stdout, stderr: tty ? undefined : stderr, tty }))
    if (wanted) query.set(name, 'true');
  // One stream at least must be asked for.
  if (!stdin && !stdout && !stderr) query.set('stdout', 'true');
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec?${query}`;
}

/** Old servers answer 400, 403 or 500 without a Status of theirs, or upgrade without a subprotocol. */
function isRefusedProtocol(error: unknown): boolean {
  if (error instanceof KubeError) return error.status.kind !== 'Status' || error.code === 400;
  return (error as Error).name === 'SubprotocolError';
}

async function execOverWebSocket(webSocket: WebSocket, { stdin, stdout, stderr, signal }: ExecOptions): Promise<number> {
  let status = '';
  let failure: Error | undefined;
  const abort = () => webSocket.terminate();
  signal?.addEventListener('abort', abort, { once: true });
  const full = new Set<Writable>();
  const write = (target: Writable | undefined, bytes: Buffer) => {
    // What was received before the pause still comes.
    if (!target || target.destroyed || target.write(bytes) || full.has(target)) return;
    full.add(target);
    webSocket.pause();
    const resume = () => {
      target.off('drain', resume).off('close', resume);
      full.delete(target);
      if (full.size === 0) webSocket.resume();
    };
    target.on('drain', resume).on('close', resume);
  };
  webSocket.on('message', (message: Buffer) => {
    const bytes = message.subarray(1);
    if (message[0] === channel.stdout) write(stdout, bytes);
    else if (message[0] === channel.stderr) write(stderr, bytes);
    else if (message[0] === channel.error) status = bytes.toString();
  });
  webSocket.on('error', (error) => (failure ??= error));
  const closed = once(webSocket, 'close');
  webSocket.resume();
  if (stdin)
    pumpInput(webSocket, stdin).catch((error: Error) => {
      failure ??= error;
      webSocket.terminate();
    });
  try {
    await closed.catch(() => {});
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  signal?.throwIfAborted();
  return exitCode(status, failure);
}

async function pumpInput(webSocket: WebSocket, stdin: NonNullable<ExecOptions['stdin']>): Promise<void> {
  for await (const chunk of stdin) {
    if (webSocket.readyState !== webSocket.OPEN) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
    const sent = new Promise<void>((resolve) => webSocket.send(Buffer.concat([Buffer.of(channel.stdin), bytes]), () => resolve()));
    if (webSocket.bufferedAmount > writeLimit) await sent;
  }
  if (webSocket.readyState === webSocket.OPEN) webSocket.send(Buffer.of(channel.close, channel.stdin));
}

async function execOverSpdy(connection: ApiConnection, path: string, options: ExecOptions): Promise<number> {
  const { stdin, stdout, stderr, tty, signal } = options;
  const transport = await upgrade(connection, path, 'SPDY/3.1', { 'x-stream-protocol-version': plainProtocol }, signal);
  let failure: Error | undefined;
  let cleanUp: (() => void) | undefined;
  const session: SpdySession = createSpdySession(transport, { server: false, onClose: (error) => (failure ??= error) });
  const abort = () => session.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const errors = session.createStream({ streamType: 'error' });
    errors.end();
    let status = '';
    errors.on('data', (chunk: Buffer) => (status += chunk.toString()));
    const ends = [once(errors, 'close')];
    if (stdin) {
      const input = session.createStream({ streamType: 'stdin' });
      input.resume();
      stdin.pipe(input);
      cleanUp = finished(stdin, { writable: false }, (error) => error && session.destroy(error));
    }
    for (const [streamType, target] of Object.entries({ stdout, stderr: tty ? undefined : stderr })) {
      if (!target) continue;
      const output = session.createStream({ streamType });
      output.end();
      if (target.destroyed) output.resume();
      else output.pipe(target, { end: false });
      // Nobody wants the rest, which must not hold up the other streams.
      const discard = () => output.resume();
      target.once('close', discard);
      output.once('close', () => target.off('close', discard));
      ends.push(once(output, 'close'));
    }
    await Promise.all(ends.map((closed) => closed.catch(() => {})));
    signal?.throwIfAborted();
    return exitCode(status, failure);
  } finally {
    signal?.removeEventListener('abort', abort);
    cleanUp?.();
    session.close();
  }
}

/** @param text The Status in which the server told how the command ended; empty when it did not. */
function exitCode(text: string, failure: Error | undefined): number {
  let status: Status | undefined;
  try {
    if (text !== '') status = JSON.parse(text);
  } catch {
    throw new KubeError(500, { message: 'the server told in no Status how the command ended' });
  }
  if (status?.status === 'Success') return 0;
  const code = status?.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  if (status) throw new KubeError(status.code ?? 500, status);
  throw new KubeError(500, { message: `the connection ended before the command did${failure ? `: ${failure.message}` : ''}` });
}
