import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConnection } from '../connection.ts';
import { KubeError } from '../errors.ts';
import type { PortForward } from '../types.ts';
import { openPortForward } from './port-forward.ts';
import { PortForwardError } from './port-forward-stream.ts';
import { PodServer } from './pod-server.fixture.ts';
import { goAwayFrame, goAwayStatus } from './spdy-frames.ts';

let server: PodServer;
let forward: PortForward;
let echo: Server;
let echoPort: number;
const engineSockets = new Set<Socket>();

beforeEach(async () => {
  server = await PodServer.start();
  forward = openPortForward(createConnection(server.cluster), 'db-0', 'default', { heartbeatMs: 100 });
  echo = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    engineSockets.add(socket);
    socket.once('close', () => engineSockets.delete(socket)).on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  echoPort = (echo.address() as AddressInfo).port;
});

afterEach(async () => {
  forward.close();
  echo.close();
  await server.close();
});

async function roundTrip(port: number): Promise<string> {
  const stream = forward.connect(port);
  stream.write('hello');
  const [answer] = await once(stream, 'data');
  stream.destroy();
  return String(answer);
}

describe('a port-forward', () => {
  it('carries bytes and half-closes', async () => {
    const stream = forward.connect(echoPort);
    stream.end('hello');
    let answer = '';
    stream.on('data', (chunk) => (answer += chunk));
    await once(stream, 'end');
    expect(answer).toBe('hello');
  });

  it('opens nothing to the pod ahead of need', async () => {
    await forward.ready();
    expect(server.upgrades).toBe(1);
    expect(server.dialled).toBe(0);
  });

  it("hands the server's words on when the port refuses, and says that nothing was delivered", async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const stream = forward.connect(port);
    stream.write('hello');
    const [error] = await once(stream, 'error');
    expect(error).toBeInstanceOf(PortForwardError);
    expect(error).toMatchObject({ delivered: false, message: expect.stringContaining('ECONNREFUSED') });
    expect(await roundTrip(echoPort)).toBe('hello');
  });

  it("resets the engine's connection at once when its own end is destroyed", async () => {
    const stream = forward.connect(echoPort);
    stream.write('hello');
    await once(stream, 'data');
    const [socket] = [...engineSockets];
    const failure = once(socket!, 'error');
    stream.destroy();
    expect((await failure)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('goes through a WebSocket where SPDY is refused', async () => {
    server.spdy = 'refuse';
    expect(await roundTrip(echoPort)).toBe('hello');
    const stream = forward.connect(echoPort);
    const sent = Buffer.alloc(3_000_000, 'w');
    stream.end(sent);
    let received = 0;
    stream.on('data', (chunk: Buffer) => (received += chunk.length));
    await once(stream, 'end');
    expect(received).toBe(sent.length);
  });

  it("fails with the server's refusal when there is no way at all", async () => {
    await server.close();
    server = await PodServer.start();
    const refused = createServer((socket) => socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    );
    await once(refused, 'listening');
    const cluster = { ...server.cluster, server: `http://127.0.0.1:${(refused.address() as AddressInfo).port}` };
    const hopeless = openPortForward(createConnection(cluster), 'db-0', 'default');
    await expect(hopeless.ready()).rejects.toBeInstanceOf(KubeError);
    const [error] = await once(hopeless.connect(echoPort), 'error');
    expect(error).toMatchObject({ delivered: false, cause: { code: 403 } });
    // A connection that begins while others are told of the failure gets its own.
    const first = hopeless.connect(echoPort);
    const late = new Promise<Duplex>((resolve) => {
      const destroy = first.destroy.bind(first);
      first.destroy = (cause) => {
        queueMicrotask(() => resolve(hopeless.connect(echoPort)));
        return destroy(cause);
      };
    });
    first.on('error', () => {});
    expect((await once(await late, 'error'))[0]).toMatchObject({ cause: { code: 403 } });
    hopeless.close();
    refused.close();
  });

  it('lets new connections pass one whose reader has stalled', async () => {
    const source = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(Buffer.alloc(8_000_000));
    }).listen(0, '127.0.0.1');
    await once(source, 'listening');
    const stalled = forward.connect((source.address() as AddressInfo).port);
    await once(stalled, 'readable');
    await vi.waitFor(() => expect(stalled.readableLength).toBeGreaterThan(1_000_000), 10_000);
    for (let connection = 0; connection < 10; connection++) expect(await roundTrip(echoPort)).toBe('hello');
    stalled.destroy();
    source.close();
  });

  it('leaves what takes no more streams out of count', async () => {
    for (let connection = 1; connection <= 20; connection++) {
      const stream = forward.connect(echoPort);
      stream.write('a');
      await once(stream, 'data');
      for (const transport of server.transports) transport.write(goAwayFrame(0, goAwayStatus.ok));
      // What comes after it tells that it has come.
      stream.write('b');
      await once(stream, 'data');
    }
    await forward.ready();
    expect(await roundTrip(echoPort)).toBe('hello');
    // One to be used, and one ahead of the next connection.
    await expect.poll(() => server.upgrades).toBe(22);
  });

  it('notices a connection to the API server that has gone silent, and makes another', async () => {
    const stream = forward.connect(echoPort);
    stream.write('hello');
    await once(stream, 'data');
    // What a cut network looks like: open, and nothing comes.
    for (const transport of server.transports) transport.pause();
    const [error] = await once(stream, 'error');
    expect(error).toMatchObject({ message: expect.stringContaining('does not answer') });
    expect(await roundTrip(echoPort)).toBe('hello');
  });

  it('ends its connections when it is closed, and opens no more', async () => {
    const stream = forward.connect(echoPort);
    stream.write('hello');
    await once(stream, 'data');
    const failed = once(stream, 'error');
    forward.close();
    await failed;
    await vi.waitFor(() => expect(server.transports.size).toBe(0), 10_000);
    const [error] = await once(forward.connect(echoPort), 'error');
    expect(error).toMatchObject({ delivered: false });
  });
});
