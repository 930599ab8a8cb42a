import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from './cluster.fixture.ts';
import { probeOnce } from './probe.ts';

let server: Server;
const open = new Set<Socket>();
beforeEach(async () => {
  // As MySQL and SMTP servers do: it speaks first, and hangs up only when the client has.
  server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    socket.resume();
    socket.write('welcome\n');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  for (const socket of open) socket.destroy();
  server.close();
});

const openHere = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

describe('a probe that connects', () => {
  it('does not reset a server that speaks first and hangs up', async () => {
    const failures: Error[] = [];
    server.removeAllListeners('connection');
    server.on(
      'connection',
      (socket) =>
        void socket
          .on('error', (error) => failures.push(error))
          .resume()
          .end('welcome\n'),
    );
    const target = { podIP: '127.0.0.1', container: { name: 'main' }, run: () => Promise.reject(new Error('not asked')) };
    const probe = { tcpSocket: { port: (server.address() as AddressInfo).port } };
    const before = openHere();
    for (let count = 0; count < 200; count++) await probeOnce(probe, target, new AbortController().signal);
    await until('every connection is closed', () => openHere() <= before, 20_000);
    expect(failures).toEqual([]);
  });

  it('leaves no connection behind with a server that speaks first', async () => {
    const before = openHere();
    const target = { podIP: '127.0.0.1', container: { name: 'main' }, run: () => Promise.reject(new Error('not asked')) };
    const probe = { tcpSocket: { port: (server.address() as AddressInfo).port } };
    for (let count = 0; count < 20; count++)
      expect(await probeOnce(probe, target, new AbortController().signal)).toEqual({ success: true, message: '' });
    await until('every connection is closed', () => open.size === 0 && openHere() <= before, 20_000);
  });
});
