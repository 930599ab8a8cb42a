import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { generate } from 'selfsigned';
import type { Cluster, ClusterEntry, UserEntry } from './kubeconfig.ts';

/** A certificate authority, a certificate of it for 127.0.0.1 and `kube.test`, and one for a client; PEM. */
export interface TestCertificates {
  ca: string;
  cert: string;
  key: string;
  client(commonName: string): Promise<{ cert: string; key: string }>;
}

export async function testCertificates(): Promise<TestCertificates> {
  const authority = await generate([{ name: 'commonName', value: 'test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
    ],
  });
  const ca = { cert: authority.cert, key: authority.private };
  const server = await generate([{ name: 'commonName', value: 'kube.test' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca,
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'kube.test' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return {
    ca: authority.cert,
    cert: server.cert,
    key: server.private,
    async client(commonName) {
      const made = await generate([{ name: 'commonName', value: commonName }], {
        keyType: 'ec',
        algorithm: 'sha256',
        ca,
        extensions: [{ name: 'extKeyUsage', clientAuth: true }],
      });
      return { cert: made.cert, key: made.private };
    },
  };
}

/** An HTTP server that a test can make misbehave. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** All connections that were ever made. */
  readonly sockets: Socket[];
  readonly requests: IncomingMessage[];
  handler: RequestListener;
  /** Handles CONNECT, as a proxy does. */
  onConnect(handler: (request: IncomingMessage, socket: Duplex) => void): void;
  /** Handles requests for another protocol, which go to the handler otherwise. */
  onUpgrade(handler: (request: IncomingMessage, socket: Duplex) => void): void;
  /** A cluster of the kubeconfig that leads here. */
  cluster(user?: UserEntry, settings?: ClusterEntry): Cluster;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; HTTPS with certificates, else HTTP. @param port 0 picks a free one */
export async function startTestServer(handler: RequestListener, certificates?: TestCertificates, port = 0): Promise<TestServer> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    fixture.requests.push(request);
    fixture.handler(request, response);
  };
  const server: Server = certificates
    ? createHttpsServer(
        { cert: certificates.cert, key: certificates.key, ca: certificates.ca, requestCert: true, rejectUnauthorized: false },
        listener,
      )
    : createHttpServer(listener);
  const sockets: Socket[] = [];
  server.on(certificates ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  const url = `${certificates ? 'https' : 'http'}://127.0.0.1:${bound}`;
  const fixture: TestServer = {
    url,
    port: bound,
    sockets,
    requests: [],
    handler,
    onConnect: (onConnect) => void server.on('connect', onConnect),
    onUpgrade: (onUpgrade) => void server.on('upgrade', onUpgrade),
    cluster: (user = {}, settings = {}) => ({
      context: 'test',
      server: url,
      namespace: 'default',
      settings: {
        server: url,
        ...(certificates ? { 'certificate-authority-data': Buffer.from(certificates.ca).toString('base64') } : {}),
        ...settings,
      },
      user,
    }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of sockets) socket.destroy();
      }),
  };
  return fixture;
}

export function answerJson(response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Reads a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return body;
}
