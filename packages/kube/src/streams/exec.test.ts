import { getEventListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { createConnection } from '../connection.ts';
import { KubeError } from '../errors.ts';
import { startTestServer, type TestServer } from '../test-server.fixture.ts';
import type { ExecOptions } from '../types.ts';
import { execInPod } from './exec.ts';
import { createSpdySession, type SpdySession } from './spdy-session.ts';
import type { SpdyStream } from './spdy-stream.ts';

const success = JSON.stringify({ metadata: {}, status: 'Success' });
let server: TestServer;

beforeEach(async () => {
  server = await startTestServer((_, response) => response.writeHead(400).end('no'));
});
afterEach(() => server.close());

const exec = (options: Partial<ExecOptions>) =>
  execInPod(createConnection(server.cluster()), 'db-0', { namespace: 'default', command: ['true'], ...options });

/** Serves exec as servers do that know no WebSocket. `run` gets the streams by their type once `count` of them are there. */
function serveSpdy(count: number, run: (streams: Record<string, SpdyStream>, session: SpdySession) => void): void {
  server.onUpgrade(({ headers }: IncomingMessage, socket: Duplex) => {
    if (headers.upgrade === 'websocket')
      return void socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n\r\n');
    const streams: Record<string, SpdyStream> = {};
    const session = createSpdySession(socket, {
      server: true,
      onStream: (stream) => {
        streams[stream.headers['streamtype']!] = stream;
        if (Object.keys(streams).length === count) run(streams, session);
      },
    });
  });
}

function serveWebSocket(run: (webSocket: WebSocket) => void): void {
  const webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' });
  server.onUpgrade((request, socket) => webSockets.handleUpgrade(request, socket, Buffer.alloc(0), run));
}

describe('a command over SPDY', () => {
  for (const when of ['before it runs', 'while it writes'])
    it(`ends though its output was closed ${when}`, async () => {
      serveSpdy(3, ({ error, stdin, stdout }) => {
        stdin!.destroy();
        stdout!.end(Buffer.alloc(8_000_000));
        stdout!.once('finish', () => error!.end(success));
      });
      const stdout = new PassThrough();
      if (when === 'before it runs') stdout.destroy();
      else stdout.once('data', () => stdout.destroy());
      expect(await exec({ stdin: Readable.from(['x']), stdout })).toBe(0);
      expect(stdout.listenerCount('close')).toBe(0);
    });

  it('ends when its input fails, and says why', async () => {
    serveSpdy(2, ({ stdin }) => stdin!.resume());
    const stdin = new PassThrough();
    const ended = exec({ stdin });
    await expect.poll(() => stdin.listenerCount('data')).toBe(1);
    stdin.destroy(new Error('the disk is gone'));
    await expect(ended).rejects.toThrow('the disk is gone');
  });
});

describe('a command', () => {
  it('whose end is told in no JSON fails', async () => {
    serveWebSocket((webSocket) => webSocket.send(Buffer.from('\x03oops'), () => webSocket.close()));
    await expect(exec({})).rejects.toBeInstanceOf(KubeError);
    await server.close();
    server = await startTestServer(() => {});
    serveSpdy(2, ({ error }) => error!.end('oops'));
    await expect(exec({ stdin: new PassThrough() })).rejects.toBeInstanceOf(KubeError);
  });

  for (const [how, answer] of [
    ['is refused', 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'],
    ['breaks off', ''],
    ['is garbage', 'SMTP\r\n\r\n'],
  ])
    it(`leaves nothing at the signal when the upgrade ${how}`, async () => {
      server.onUpgrade((_, socket) => void socket.end(answer));
      const { signal } = new AbortController();
      await expect(exec({ signal })).rejects.toThrow();
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
});
