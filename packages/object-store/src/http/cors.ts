import type { IncomingMessage, ServerResponse } from 'node:http';

const methods = new Set(['GET', 'PUT', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PATCH']);
const exposed =
  'Date, Etag, Server, Connection, Accept-Ranges, Content-Range, Content-Encoding, Content-Length, Content-Type, Content-Disposition, Last-Modified, Content-Language, Cache-Control, Retry-After, X-Amz-Bucket-Region, Expires, X-Amz*, X-Amz*, *';

/** Which web pages may call. */
export class Cors {
  readonly #origins: readonly string[];

  /** @param origins as `MINIO_API_CORS_ALLOW_ORIGIN` has them, for example `https://*.example.org` */
  constructor(origins: readonly string[]) {
    this.#origins = origins;
  }

  /** Sets what a browser must see in an answer. */
  mark(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('vary', 'Origin');
    const origin = request.headers.origin;
    if (origin === undefined || !this.#admits(origin)) return;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-credentials', 'true');
    response.setHeader('access-control-expose-headers', exposed);
  }

  /** Answers a browser that asks before it calls. It cannot sign that. */
  answerPreflight(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    const method = request.headers['access-control-request-method'];
    const wanted = request.headers['access-control-request-headers'];
    response.removeHeader('access-control-expose-headers');
    if (method === undefined) {
      response.writeHead(200, { 'content-length': 0 }).end();
      return;
    }
    response.setHeader('vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
    if (origin !== undefined && this.#admits(origin) && methods.has(method.toUpperCase())) {
      response.setHeader('access-control-allow-methods', method.toUpperCase());
      if (wanted) response.setHeader('access-control-allow-headers', wanted);
    }
    response.writeHead(204).end();
  }

  #admits(origin: string): boolean {
    return this.#origins.some((allowed) => {
      const [before, after] = allowed.split('*');
      if (after === undefined) return origin === allowed;
      return origin.length >= before!.length + after.length && origin.startsWith(before!) && origin.endsWith(after);
    });
  }
}
