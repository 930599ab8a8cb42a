import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Identities } from '../auth/identities.ts';
import { verifySignature } from '../auth/signature.ts';
import { isDiskFull, S3Error } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { xmlElement, xmlHeader } from '../xml.ts';
import { Call } from './call.ts';
import type { Cors } from './cors.ts';
import { headerText } from './header-text.ts';
import { handlerFor } from './routes.ts';
import { checkTarget, parseUrl, splitPath } from './target.ts';

/** Something else that is served under a path of its own, to callers who sign as S3's do. */
export interface Extension {
  /** For example `/minio/admin/`. */
  prefix: string;
  /** @param path decoded. An S3Error that it throws is answered as such. */
  handle(call: Call, path: string): Promise<void>;
}

export interface ServerOptions {
  storage: Storage;
  identities: Identities;
  cors: Cors;
  extensions: readonly Extension[];
  log: (message: string) => void;
}

/** User metadata may have 2 KiB, MinIO takes 8 KiB of headers. In bytes. */
const maxHeaderBytes = 16 << 10;
/** By then all headers must be there. */
const headersTimeoutMs = 20_000;
/** A connection on which nothing moves for so long is closed. */
const idleTimeoutMs = 120_000;
/** Of a body that is not wanted so much is read, so that the client sees the answer rather than a broken connection. In bytes. */
const maxUnwantedBytes = 1 << 20;

/** Tells one store from others in answers, as MinIO's do. */
const hostId = createHash('sha256').update(randomBytes(16)).digest('hex');

export function createHttpServer(options: ServerOptions): Server {
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    // Whatever is overlooked ends one answer, not the process.
    void serve(options, request, response).catch(() => response.destroy());
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    // An upload may take as long as it moves.
    requestTimeout: 0,
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: 60_000,
    noDelay: true,
  });
  server.timeout = idleTimeoutMs;
  server.on('request', listener);
  // The body is asked for when it is wanted.
  server.on('checkContinue', listener);
  return server;
}

async function serve(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomBytes(8).toString('hex').toUpperCase();
  try {
    setCommonHeaders(response, requestId);
    options.cors.mark(request, response);
    await answer(options, request, response);
  } catch (error) {
    answerError(options, request, response, requestId, error);
  } finally {
    if (!request.complete) dropBody(request, response);
  }
}

function setCommonHeaders(response: ServerResponse, requestId: string): void {
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('server', 'Skipper');
  response.setHeader('x-amz-request-id', requestId);
  response.setHeader('x-amz-id-2', hostId);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('x-xss-protection', '1; mode=block');
}

async function answer(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { storage, identities, cors, extensions } = options;
  const method = request.method ?? '';
  if (method === 'OPTIONS') {
    cors.answerPreflight(request, response);
    return;
  }
  const { path, query } = parseUrl(request.url ?? '');
  if (isHealthCheck(method, path)) {
    response.writeHead(200, { 'content-length': 0 }).end();
    return;
  }
  const extension = extensions.find(({ prefix }) => path.startsWith(prefix));
  const { bucket, key } = extension ? { bucket: '', key: '' } : splitPath(path);
  const signed = verifySignature({ method, path, query, rawHeaders: request.rawHeaders }, (accessKey) => identities.secretOf(accessKey));
  if (path.startsWith('//')) throw new S3Error('BadRequest', { message: `An unsupported API call for method: ${method} at '${path}'` });
  checkTarget(bucket, key);
  const identity = identities.identity(signed.accessKey);
  const call = new Call({ storage, identities, request, response, query: new Map(query), signed, identity, bucket, key });
  if (extension) await extension.handle(call, path);
  else await handlerFor(call, method)(call);
}

/** Paths that tell whether the server is well, to anybody. */
function isHealthCheck(method: string, path: string): boolean {
  return ['GET', 'HEAD'].includes(method) && ['live', 'ready', 'cluster', 'cluster/read'].some((name) => path === `/minio/health/${name}`);
}

function answerError({ log }: ServerOptions, request: IncomingMessage, response: ServerResponse, requestId: string, error: unknown): void {
  const failure = asS3Error(error);
  if (failure.status >= 500 && failure.code !== 'NotImplemented') log(`request ${requestId} failed: ${describe(error)}`);
  if (response.destroyed) return;
  if (response.headersSent) {
    // Half an answer must not look like a whole one.
    response.destroy();
    return;
  }
  for (const name in failure.headers) response.setHeader(name, failure.headers[name]!);
  if (request.method === 'HEAD') {
    response.setHeader('x-minio-error-code', failure.code);
    response.setHeader('x-minio-error-desc', headerText(`"${failure.message}"`));
    response.writeHead(failure.status, { 'content-length': 0 }).end();
    return;
  }
  const body = Buffer.from(xmlHeader + xmlElement('Error', errorDocument(request, failure, requestId)));
  response.writeHead(failure.status, { 'content-type': 'application/xml', 'content-length': body.length }).end(body);
}

function errorDocument(request: IncomingMessage, failure: S3Error, requestId: string): Record<string, string> {
  const raw = (request.url ?? '').split('?')[0]!;
  let path = raw;
  try {
    path = decodeURIComponent(raw);
  } catch {
    // Not decodable: shown as it came.
  }
  const { bucket, key } = splitPath(path);
  const { Key = key, BucketName = bucket, ...others } = failure.details;
  return {
    Code: failure.code,
    Message: failure.message,
    ...(Key === '' ? {} : { Key }),
    ...(BucketName === '' ? {} : { BucketName }),
    Resource: path,
    RequestId: requestId,
    HostId: hostId,
    ...others,
  };
}

function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  return new S3Error(isDiskFull(error) ? 'XMinioStorageFull' : 'InternalError', { cause: error });
}

/** Never with a header or a URL: those can hold signatures. */
function describe(error: unknown): string {
  const at = error instanceof S3Error && error.cause ? error.cause : error;
  return at instanceof Error ? (at.stack ?? at.message) : String(at);
}

/** Ends a request whose body was not read, without reading all of it. */
function dropBody(request: IncomingMessage, response: ServerResponse): void {
  let left = maxUnwantedBytes;
  request.on('data', (data: Buffer) => {
    left -= data.length;
    if (left < 0) request.destroy();
  });
  request.on('error', () => {});
  response.once('finish', () => {
    // Time for the client to take the answer in; then its rest is of no interest.
    setTimeout(() => !request.complete && request.destroy(), 2_000).unref();
  });
}
