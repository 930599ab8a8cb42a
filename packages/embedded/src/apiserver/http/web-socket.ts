import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { badRequest } from '../objects/failures.ts';
import type { Upgrade } from './pod-streams.ts';

/** A message longer than this is no use of ours. */
const messageLimit = 16 << 20;

/** Upgrades to a WebSocket with the first of `protocols` that the client offers. @throws a 400 failure */
export async function acceptWebSocket({ request, socket, head }: Upgrade, protocols: readonly string[]): Promise<WebSocket> {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const chosen = protocols.find((protocol) => offered.includes(protocol));
  if (!chosen) throw badRequest(`unable to upgrade: the server accepts the subprotocols ${protocols.join(', ')}`);
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: messageLimit, handleProtocols: () => chosen });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** The messages of a WebSocket as a stream of bytes. */
export function webSocketBytes(webSocket: WebSocket): Duplex {
  const duplex = new Duplex({
    read: () => webSocket.resume(),
    write: (chunk: Buffer, _encoding, done) => webSocket.send(chunk, (error) => done(error)),
    final: (done) => {
      webSocket.close(1000);
      done();
    },
    destroy: (error, done) => {
      webSocket.terminate();
      done(error);
    },
  });
  webSocket.on('message', (message: Buffer) => {
    if (!duplex.push(message)) webSocket.pause();
  });
  webSocket.on('close', () => duplex.push(null));
  webSocket.on('error', (error) => duplex.destroy(error));
  return duplex;
}
