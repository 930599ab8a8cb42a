import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { TunnelConnection } from './tunnel-connection.ts';
import type { TunnelTarget } from './tunnel-target.ts';

it('a client that reads slowly learns that the connection broke', async () => {
  const remote = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const target = { whenReady: async () => ({ connect: () => remote }) } as unknown as TunnelTarget;
  const listener = createServer({ allowHalfOpen: true, noDelay: true });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }).pause();
  const [local] = await accepted;
  new TunnelConnection(local, { target, port: 1, waitForPodMs: 1_000, onFailure: () => undefined });

  // In small parts, until a little waits for the client: so little that it holds nobody back.
  while (local.writableLength === 0) {
    remote.push(Buffer.alloc(8_192));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(local.writableNeedDrain).toBe(false);
  remote.destroy(new Error('the connection broke'));
  await new Promise((resolve) => remote.once('close', resolve));

  client.resume();
  // libuv takes a reset for an end where it comes with the last bytes.
  await new Promise((resolve) => client.once('end', resolve).once('error', resolve));
  expect(local.destroyed).toBe(true);
  client.destroy();
  listener.close();
});
