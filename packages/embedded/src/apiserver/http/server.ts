import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { discoveryOf } from '../objects/discovery.ts';
import { badRequest, failure, failureOf } from '../objects/failures.ts';
import { resourceRequestOf, type ResourceRequest } from '../objects/request-info.ts';
import type { Log, NodeEndpoints, ResourceRegistry, SchemaApi } from '../../contracts.ts';
import { authorize } from './authorization.ts';
import { roleOf, type Identity, type Role } from './identity.ts';
import type { Exchange, ObjectRoutes } from './object-routes.ts';
import { forwardPorts, runCommand, sendLog, type Upgrade } from './pod-streams.ts';
import { answer, answerFailure } from './respond.ts';

export interface ApiServerOptions {
  identity: Identity;
  port: number;
  registry: ResourceRegistry;
  schema: SchemaApi;
  routes: ObjectRoutes;
  /** Undefined until the node runs. */
  node(): NodeEndpoints | undefined;
  log: Log;
}

export interface ApiServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What clients are told that they speak with: they choose by it what they ask for. */
const version = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+kip',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2025-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'node',
  platform: `${process.platform}/${process.arch}`,
};

const protobufOpenApi = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** In a Content-Type `@` is not allowed, so Kubernetes answers with a dot in its place. */
const protobufOpenApiAnswer = protobufOpenApi.replace('@', '.');

/** Serves the API on loopback. @throws the system's error when the port is taken. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { identity, registry, schema, routes, log } = options;
  const sockets = new Set<Duplex>();
  const server: Server = createServer({
    key: identity.key,
    cert: identity.certificate,
    minVersion: 'TLSv1.2',
    keepAlive: true,
    noDelay: true,
    requestTimeout: 0,
  });
  server.keepAliveTimeout = 65_000;

  const fail = (error: unknown, request: IncomingMessage): ReturnType<typeof failure> => {
    const known = failureOf(error);
    if (known) return known;
    if (error instanceof URIError) return badRequest('the path of the request is malformed');
    log(`${request.method} ${request.url?.split('?')[0]}: ${(error as Error).stack ?? String(error)}`);
    return failure(500, 'InternalError', `Internal error occurred: ${(error as Error).message}`);
  };
  const requireRole = (request: IncomingMessage): Role => {
    const role = roleOf(request.headers.authorization, identity);
    if (!role) throw failure(401, 'Unauthorized', 'Unauthorized');
    return role;
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const role = requireRole(request);
    const url = urlOf(request);
    const exchange: Exchange = { request, response, query: url.searchParams, role, warnings: [] };
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : '/';
    if (['/healthz', '/readyz', '/livez'].includes(path)) return void response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok');
    if (path === '/version') return answer(exchange, 200, version);
    if (path.startsWith('/openapi/')) return sendOpenApi(path, exchange);
    const discovered = discoveryOf(path, registry, request.headers.host ?? '');
    if (discovered) return answer(exchange, 200, discovered);
    const target = resourceRequestOf(path, registry);
    if (!target) throw failure(404, 'NotFound', 'the server could not find the requested resource');
    const pod = podOf(target);
    if (pod && target.subresource === 'log') return sendLog(requireNode(), pod, url.searchParams, response);
    if (pod && ['exec', 'portforward'].includes(target.subresource))
      throw badRequest('unable to upgrade: missing upgrade headers in request');
    await routes.handle(target, exchange);
  }

  function sendOpenApi(path: string, exchange: Exchange): void {
    const { request, response } = exchange;
    if (path === '/openapi/v2') {
      if (!(request.headers.accept ?? '').includes(protobufOpenApi)) return answer(exchange, 200, schema.openApiV2(registry));
      const bytes = schema.openApiV2Protobuf(registry);
      return void response.writeHead(200, { 'Content-Type': protobufOpenApiAnswer, 'Content-Length': bytes.length }).end(bytes);
    }
    const document =
      path === '/openapi/v3' ? schema.openApiV3Index(registry) : schema.openApiV3(registry, path.slice('/openapi/v3/'.length));
    if (!document) throw failure(404, 'NotFound', 'the server could not find the requested resource');
    answer(exchange, 200, document);
  }

  function requireNode(): NodeEndpoints {
    const node = options.node();
    if (!node) throw failure(503, 'ServiceUnavailable', 'the node is not ready yet', { retryAfterSeconds: 1 });
    return node;
  }

  async function handleUpgrade(upgrade: Omit<Upgrade, 'query'>): Promise<void> {
    const { request } = upgrade;
    const role = requireRole(request);
    const url = urlOf(request);
    const target = resourceRequestOf(url.pathname, registry);
    const pod = target && podOf(target);
    if (!pod || !['exec', 'portforward'].includes(target.subresource))
      throw failure(404, 'NotFound', 'the server could not find the requested resource');
    authorize(role, 'create', target);
    await (target.subresource === 'exec' ? runCommand : forwardPorts)(requireNode(), pod, { ...upgrade, query: url.searchParams });
  }

  server.on('request', (request, response) => {
    handle(request, response).catch((error: unknown) => answerFailure(response, fail(error, request)));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    handleUpgrade({ request, socket, head }).catch((error: unknown) => refuseUpgrade(socket, fail(error, request)));
  });
  server.on('secureConnection', (socket: Duplex) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: options.port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** @throws URIError for a target that is no path. */
function urlOf({ url = '' }: IncomingMessage): URL {
  if (!url.startsWith('/') || !URL.canParse(`https://kip${url}`)) throw new URIError('not a path');
  return new URL(`https://kip${url}`);
}

function podOf({ kind, namespace, name }: ResourceRequest): { namespace: string; name: string } | undefined {
  return kind.storage === 'core/pods' && namespace !== undefined && name !== undefined ? { namespace, name } : undefined;
}

function refuseUpgrade(socket: Duplex, { code, status }: ReturnType<typeof failure>): void {
  if (socket.destroyed) return;
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${code} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
