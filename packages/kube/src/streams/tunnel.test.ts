import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../client.ts';
import type { KubeClient, Tunnel, TunnelOptions } from '../types.ts';
import { PodServer, podNamed } from './pod-server.fixture.ts';
import { openTunnel } from './tunnel.ts';

let server: PodServer;
let client: KubeClient;
let engine: Server;
let enginePort: number;
const engineSockets: Socket[] = [];
const tunnels: Tunnel[] = [];

beforeEach(async () => {
  server = await PodServer.start(podNamed('db-0', 'first', true));
  client = createClient(server.cluster);
  engine = await startEngine(0);
  enginePort = (engine.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const tunnel of tunnels.splice(0)) await tunnel.close();
  client.close();
  for (const socket of engineSockets.splice(0)) socket.destroy();
  engine.close();
  await server.close();
});

async function startEngine(port: number): Promise<Server> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    engineSockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(port, '127.0.0.1');
  await once(listener, 'listening');
  return listener;
}

async function open(options: Partial<TunnelOptions> = {}): Promise<Tunnel> {
  const tunnel = await openTunnel(client, {
    namespace: 'default',
    pod: 'db-0',
    port: enginePort,
    localPort: 0,
    waitForPodMs: 30_000,
    ...options,
  });
  tunnels.push(tunnel);
  return tunnel;
}

function dial(tunnel: Tunnel): Socket {
  return connect({ port: tunnel.localPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
}

async function ask(socket: Socket, question: string): Promise<string> {
  socket.write(question);
  return String((await once(socket, 'data'))[0]);
}

const fateOf = (socket: Socket) =>
  new Promise<string>((resolve) =>
    socket.once('end', () => resolve('ended')).once('error', (error: NodeJS.ErrnoException) => resolve(error.code!)),
  );

describe('a tunnel', () => {
  it('carries connections, half-closes included', async () => {
    const socket = dial(await open());
    socket.end('hello');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk));
    await once(socket, 'end');
    expect(answer).toBe('hello');
  });

  it('hands an abrupt hang-up of the client on to the engine, and disturbs nobody else', async () => {
    const tunnel = await open();
    const abrupt = dial(tunnel);
    await ask(abrupt, 'a');
    const abruptAtEngine = engineSockets[0]!;
    const other = dial(tunnel);
    await ask(other, 'b');
    const failure = once(abruptAtEngine, 'error');
    abrupt.resetAndDestroy();
    expect((await failure)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(await ask(other, 'c')).toBe('c');
    other.destroy();
  });

  it('ends a connection that the engine ends', async () => {
    const socket = dial(await open());
    await ask(socket, 'a');
    const fate = fateOf(socket);
    engineSockets[0]!.end();
    expect(await fate).toBe('ended');
    socket.destroy();
  });

  it('lets connections wait for a pod that is not ready yet', async () => {
    server.update(podNamed('db-0', 'first', false));
    const notices: string[] = [];
    const tunnel = await open({ onNotice: (message) => notices.push(message) });
    const answer = ask(dial(tunnel), 'hello');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.dialled).toBe(0);
    server.update(podNamed('db-0', 'first', true));
    expect(await answer).toBe('hello');
    expect(notices).toEqual([]);
  });

  it('ends the connections of a pod that is deleted, and takes new ones to its successor', async () => {
    const notices: string[] = [];
    const tunnel = await open({ onNotice: (message) => notices.push(message) });
    const before = dial(tunnel);
    await ask(before, 'a');
    const fate = fateOf(before);
    server.update(undefined);
    expect(await fate).toBe('ECONNRESET');
    const waiting = ask(dial(tunnel), 'hello');
    server.update(podNamed('db-0', 'second', false));
    server.update(podNamed('db-0', 'second', true));
    expect(await waiting).toBe('hello');
    expect(notices).toEqual([expect.stringContaining('not ready'), expect.stringContaining('ready again')]);
  });

  it('tries again while a ready pod refuses, since news of a crash take a moment', async () => {
    const tunnel = await open();
    engine.close();
    await once(engine, 'close');
    const answer = ask(dial(tunnel), 'hello');
    await new Promise((resolve) => setTimeout(resolve, 300));
    engine = await startEngine(enginePort);
    expect(await answer).toBe('hello');
  });

  it('resets a connection for which there is no pod in time', async () => {
    server.update(undefined);
    const notices: string[] = [];
    const tunnel = await open({ waitForPodMs: 200, onNotice: (message) => notices.push(message) });
    server.update(podNamed('db-0', 'first', false));
    const socket = dial(tunnel);
    expect(await fateOf(socket)).toBe('ECONNRESET');
    expect(notices).toEqual([expect.stringContaining('not ready')]);
  });

  it('forgets a client that hangs up while it waits', async () => {
    server.update(podNamed('db-0', 'first', false));
    const tunnel = await open();
    const socket = dial(tunnel);
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.update(podNamed('db-0', 'first', true));
    expect(await ask(dial(tunnel), 'hello')).toBe('hello');
    expect(server.dialled).toBe(1);
  });

  it('goes on after the connection to the API server broke', async () => {
    const tunnel = await open();
    const before = dial(tunnel);
    await ask(before, 'a');
    const fate = fateOf(before);
    for (const transport of server.transports) transport.destroy();
    expect(await fate).toBe('ECONNRESET');
    expect(await ask(dial(tunnel), 'hello')).toBe('hello');
  });

  it('does not read faster than its client does', async () => {
    let sent = 0;
    const source = createServer((socket) => {
      engineSockets.push(socket);
      socket.on('error', () => {});
      const chunk = Buffer.alloc(65_536);
      const send = () => {
        while (sent < 256 * 1024 * 1024) {
          sent += chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', send);
        }
        socket.end();
      };
      send();
    }).listen(0, '127.0.0.1');
    await once(source, 'listening');
    const tunnel = await open({ port: (source.address() as AddressInfo).port });
    const before = process.memoryUsage().rss;
    const socket = dial(tunnel).pause();
    let last = -1;
    while (sent === 0 || sent !== last) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(48 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024);
    let received = 0;
    socket.on('data', (chunk: Buffer) => (received += chunk.length));
    socket.resume();
    await once(socket, 'end');
    expect(received).toBe(256 * 1024 * 1024);
    source.close();
  });

  it('lets go of its port and its connections when it is closed', async () => {
    const tunnel = await open();
    const socket = dial(tunnel);
    await ask(socket, 'a');
    const fate = fateOf(socket);
    await tunnel.close();
    expect(await fate).toMatch(/ended|ECONNRESET/);
    const again = dial(tunnel);
    expect(await fateOf(again)).toBe('ECONNREFUSED');
    await vi.waitFor(() => expect(server.transports.size).toBe(0), 10_000);
  });
});
