import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { ApiConnection } from '../connection.ts';
import { authorized, refusal } from './upgrade.ts';

/** The server refused every subprotocol that was offered. */
export class SubprotocolError extends Error {
  override readonly name = 'SubprotocolError';
}

/**
 * Opens a WebSocket to the API server.
 * @param path Path and query below the server's address.
 * @throws KubeError when the server does not upgrade, {@link SubprotocolError} when it does without one of `protocols`.
 */
export function openWebSocket(connection: ApiConnection, path: string, protocols: string[], signal?: AbortSignal): Promise<WebSocket> {
  return authorized(connection, async (headers) => {
    const socket = await connection.dial(signal);
    // Whoever makes the connection sets its clock; ws listens to it, and stops it when the WebSocket is open.
    socket.setTimeout(connection.answerTimeoutMs);
    return new Promise((resolve, reject) => {
      let chosen: string | undefined;
      // The scheme has no say: the socket is connected already, with TLS where the server wants it.
      const webSocket = new WebSocket(`ws://${connection.server.host}${connection.basePath}${path}`, {
        headers: { ...headers, 'sec-websocket-protocol': protocols.join(', ') },
        perMessageDeflate: false,
        handshakeTimeout: connection.answerTimeoutMs,
        createConnection: () => socket,
        // The names of Kubernetes' protocols are no tokens by the RFC's grammar (they have a slash), which ws insists on.
        finishRequest: (request) => {
          request.prependOnceListener('upgrade', ({ headers: answered }) => {
            chosen = answered['sec-websocket-protocol'];
            delete answered['sec-websocket-protocol'];
          });
          request.end();
        },
      });
      const abort = () => webSocket.terminate();
      const unlink = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort, { once: true });
      webSocket.once('open', () => {
        unlink();
        if (chosen === undefined || !protocols.includes(chosen)) {
          webSocket.terminate();
          reject(new SubprotocolError(`the server speaks none of ${protocols.join(', ')}`));
          return;
        }
        // What arrives before the caller listens must wait for it.
        webSocket.pause();
        resolve(webSocket);
      });
      webSocket.once('unexpected-response', (_request, response) => {
        refusal(response)
          .then(reject, reject)
          .finally(() => {
            unlink();
            socket.destroy();
          });
      });
      webSocket.on('error', (error) => {
        unlink();
        socket.destroy();
        reject(signal?.aborted ? signal.reason : connection.unreachable(error));
      });
    });
  });
}

/** The binary messages of a WebSocket as a stream of bytes, with back-pressure both ways. */
export function webSocketDuplex(webSocket: WebSocket): Duplex {
  const duplex = new Duplex({
    readableHighWaterMark: 256 * 1024,
    writableHighWaterMark: 256 * 1024,
    read: () => webSocket.resume(),
    write: (chunk: Buffer, _encoding, done) => webSocket.send(chunk, done),
    writev: (writes, done) => webSocket.send(Buffer.concat(writes.map(({ chunk }) => chunk as Buffer)), done),
    final: (done) => {
      webSocket.close(1000);
      done();
    },
    destroy: (error, done) => {
      webSocket.terminate();
      done(error);
    },
  });
  webSocket.on('message', (data) => {
    if (!duplex.push(data)) webSocket.pause();
  });
  webSocket.on('close', () => {
    duplex.push(null);
  });
  webSocket.on('error', (error) => duplex.destroy(error));
  return duplex;
}
