import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { WebSocketServer } from 'ws';
import type { Cluster } from '../kubeconfig.ts';
import { createSpdySession } from './spdy-session.ts';
import type { SpdyStream } from './spdy-stream.ts';
import { webSocketDuplex } from './websocket.ts';

const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

/** Serves one pod: its list and watch, and port-forwards to ports of this machine, as a Kubernetes API server does. */
export class PodServer {
  /** `refuse`: as behind a proxy that drops the upgrade of a protocol it does not know. */
  spdy: 'accept' | 'refuse' = 'accept';
  /** Upgraded connections that are open, and all there ever were. */
  readonly transports = new Set<Socket>();
  upgrades = 0;
  /** Connections that reached a port of the pod. */
  dialled = 0;
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  readonly #events: { revision: number; line: string }[] = [];
  #pod: Pod | undefined;
  #revision = 1;

  static async start(pod?: Pod): Promise<PodServer> {
    const server = new PodServer(pod);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  private constructor(pod: Pod | undefined) {
    this.#pod = pod;
    const webSockets = new WebSocketServer({ noServer: true });
    webSockets.on('headers', (headers) => headers.push(`sec-websocket-protocol: ${tunnelProtocol}`));
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      this.upgrades++;
      this.transports.add(socket);
      socket.once('close', () => this.transports.delete(socket)).on('error', () => {});
      if (request.headers.upgrade === 'websocket' && request.headers['sec-websocket-protocol'] === tunnelProtocol) {
        // ws takes the slash in its name for an error.
        delete request.headers['sec-websocket-protocol'];
        webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#forward(webSocketDuplex(webSocket)));
      } else if (this.spdy === 'refuse') {
        socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n');
      } else {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\nx-stream-protocol-version: portforward.k8s.io\r\n\r\n',
        );
        if (head.length > 0) socket.unshift(head);
        this.#forward(socket);
      }
    });
  }

  get cluster(): Cluster {
    return {
      context: 'test',
      server: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      namespace: 'default',
      settings: {},
      user: {},
    } as unknown as Cluster;
  }

  /** The pod's new state; `undefined`: it is deleted. */
  update(pod: Pod | undefined): void {
    const type = pod === undefined ? 'DELETED' : this.#pod === undefined ? 'ADDED' : 'MODIFIED';
    const object = { ...(pod ?? this.#pod)! };
    this.#pod = pod;
    object.metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#events.push({ revision: this.#revision, line });
    for (const watch of this.#watches) watch.write(line);
  }

  async close(): Promise<void> {
    for (const transport of this.transports) transport.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('content-type', 'application/json');
    if (request.url?.includes('watch=1')) {
      this.#watches.add(response);
      response.once('close', () => this.#watches.delete(response));
      response.flushHeaders();
      const since = Number(new URL(request.url, 'http://x').searchParams.get('resourceVersion'));
      for (const { revision, line } of this.#events) if (revision > since) response.write(line);
      return;
    }
    response.end(
      JSON.stringify({
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: { resourceVersion: String(this.#revision) },
        items: this.#pod ? [this.#pod] : [],
      }),
    );
  }

  #forward(transport: Duplex): void {
    const errors = new Map<string, SpdyStream>();
    createSpdySession(transport, {
      server: true,
      onStream: (stream) => {
        const { streamtype, requestid = '', port } = stream.headers;
        if (streamtype === 'error') {
          errors.set(requestid, stream);
          stream.resume();
          return;
        }
        const error = errors.get(requestid);
        errors.delete(requestid);
        const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
        socket.once('connect', () => this.dialled++);
        socket.once('error', ({ message }) => {
          error?.end(`error forwarding port ${port}: failed to connect: ${message}`);
          stream.end();
        });
        socket.once('end', () => error?.end());
        stream.once('error', () => socket.resetAndDestroy());
        stream.pipe(socket).pipe(stream);
      },
    });
  }
}

/** A pod of this name, Ready or not. */
export function podNamed(name: string, uid: string, ready: boolean): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}
