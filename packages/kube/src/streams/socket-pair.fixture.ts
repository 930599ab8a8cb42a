import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

/** Two ends of one real TCP connection over loopback. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [[server]] = (await Promise.all([once(listener, 'connection'), once(client, 'connect')])) as unknown as [[Socket], unknown];
  listener.close();
  return [client, server];
}
