import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createSpdySession, type SpdySession, type SpdyStream } from '@skipper/kube';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { NodeEndpoints, PodExecOptions } from '../../contracts.ts';
import { forwardPorts, runCommand } from './pod-streams.ts';

let pod: Server;
let api: Server;
let transport: Socket;
let session: SpdySession;
let dial: (pod: unknown, port: number) => Promise<Socket>;
beforeEach(async () => {
  pod = createServer({ allowHalfOpen: true });
  await once(pod.listen(0, '127.0.0.1'), 'listening');
  dial = dialled;
  const node = { dial: (...target: [unknown, number]) => dial(...target) } as unknown as NodeEndpoints;
  const request = { headers: { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'portforward.k8s.io' } } as unknown as IncomingMessage;
  api = createServer((socket) => {
    void forwardPorts(
      node,
      { namespace: 'default', name: 'pod' },
      { request, socket, head: Buffer.alloc(0), query: new URLSearchParams() },
    );
  });
  await once(api.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  transport.destroy();
  api.close();
  pod.close();
});

async function dialled(_pod: unknown, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** @returns both ends of one forwarded connection, and the stream that tells what goes wrong with it. */
async function forward(): Promise<{ client: SpdyStream; error: SpdyStream; atPod: Socket; fate: Promise<string> }> {
  transport = connect((api.address() as AddressInfo).port, '127.0.0.1');
  // The answer to the upgrade.
  await once(transport, 'data');
  session = createSpdySession(transport, { server: false });
  const accepted = once(pod, 'connection') as Promise<[Socket]>;
  const headers = { requestid: '0', port: String((pod.address() as AddressInfo).port) };
  const error = session.createStream({ ...headers, streamtype: 'error' }).resume();
  const client = session.createStream({ ...headers, streamtype: 'data' });
  const [atPod] = await accepted;
  const fate = new Promise<string>((resolve) => {
    atPod.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code!)).once('close', () => resolve('closed'));
  });
  return { client, error, atPod, fate };
}

describe('a forwarded connection', () => {
  it('closes in good order when both sides have ended it', async () => {
    const { client, atPod, fate } = await forward();
    client.end('question');
    atPod.resume();
    await once(atPod, 'end');
    const ended = once(client, 'end');
    atPod.end('answer');
    expect(String((await once(client, 'data'))[0])).toBe('answer');
    await ended;
    expect(await fate).toBe('closed');
  });

  for (const [what, loseClient] of [
    ['resets it', (client: SpdyStream) => client.destroy()],
    ['is lost', () => transport.destroy()],
  ] as const) {
    it(`is reset at the pod when the client ${what}`, async () => {
      const { client, atPod, fate } = await forward();
      client.write('question');
      await once(atPod, 'data');
      loseClient(client);
      expect(await fate).toBe('ECONNRESET');
    });

    it(`is reset at the pod when the client ${what} after its own last byte`, async () => {
      const { client, atPod, fate } = await forward();
      client.end('question');
      client.resume();
      atPod.resume();
      await once(atPod, 'end');
      loseClient(client);
      // After the client's last byte nothing is read any more: only what is written shows that it has gone.
      const answering = setInterval(() => atPod.write('answer'), 10);
      expect(await fate).toMatch(/ECONNRESET|EPIPE/);
      clearInterval(answering);
    });

    it(`is reset at the pod when the client ${what} after the pod's last byte`, async () => {
      const { client, atPod, fate } = await forward();
      atPod.resume();
      atPod.end('answer');
      client.resume();
      await once(client, 'end');
      loseClient(client);
      expect(await fate).toBe('ECONNRESET');
    });
  }

  it('is reset at the client when the pod resets it after its own last byte', async () => {
    const { client, atPod } = await forward();
    atPod.resume();
    atPod.end('answer');
    client.resume();
    await once(client, 'end');
    const failed = once(client, 'error');
    atPod.resetAndDestroy();
    // After the pod's last byte nothing is read any more: only what is written shows that it has gone.
    client.write('more');
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('ends its error stream when the pod resets it', async () => {
    const { client, error, atPod } = await forward();
    client.write('question');
    await once(atPod, 'data');
    const ended = once(error, 'end');
    atPod.resetAndDestroy();
    await ended;
  });

  it('ends its error stream when the client resets it before the pod has been reached', async () => {
    let goOn = (): void => undefined;
    const delayed = new Promise<void>((resolve) => (goOn = resolve));
    dial = async (...target) => {
      const socket = await dialled(...target);
      await delayed;
      return socket;
    };
    const { client, error } = await forward();
    const ended = once(error, 'end');
    client.destroy();
    // The reset has arrived by then.
    await session.ping();
    goOn();
    await ended;
  });
});

describe('a command over a WebSocket', () => {
  const query = new URLSearchParams({ command: 'head', stdin: 'true' });
  let server: ReturnType<typeof createHttpServer>;
  let client: WebSocket;
  afterEach(() => {
    client.terminate();
    server.close();
  });

  /** Connects the client of a command that ends, unread, once `whenFull` has returned. */
  async function run(whenFull: (stdin: PassThrough) => void): Promise<void> {
    const exec = async (_pod: unknown, options: PodExecOptions): Promise<number> => {
      const stdin = options.stdin as PassThrough;
      while (!stdin.writableNeedDrain) await delay(5);
      whenFull(stdin);
      return 0;
    };
    server = createHttpServer().on('upgrade', (request, socket, head) => {
      const upgrade = { request, socket, head, query };
      void runCommand({ exec } as unknown as NodeEndpoints, { namespace: 'default', name: 'pod' }, upgrade);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, 'v5.channel.k8s.io');
    await once(client, 'open');
  }

  it('ends at once when it has not read what was sent to it', async () => {
    await run(() => undefined);
    client.send(Buffer.alloc(1 << 20));
    expect((await once(client, 'close'))[0]).toBe(1000);
    // A WebSocket gives up waiting for its peer after 30 s.
  }, 20_000);

  it('is waited for once, however many messages it has not read', async () => {
    let waiting = 0;
    await run((stdin) => (waiting = stdin.listenerCount('drain')));
    for (let count = 0; count < 100; count++) client.send(Buffer.alloc(1 << 10));
    await once(client, 'close');
    expect(waiting).toBe(1);
  });
});
