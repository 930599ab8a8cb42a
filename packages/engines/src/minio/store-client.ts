import { createHash } from 'node:crypto';
import { sealBody } from '@skipper/object-store';
import { AwsClient } from 'aws4fetch';

/** An answer of MinIO that is not a success. Match `code`, for example `NoSuchBucket` or `XMinioAdminNoSuchUser`. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: string;
  readonly status: number;
  constructor(what: string, status: number, code: string, message: string) {
    super(`${what} failed: ${message || code || `HTTP status ${status}`}`);
    this.code = code;
    this.status = status;
  }
}

export interface StoreClientOptions {
  host: string;
  port: number;
  username: string;
  password: string;
  signal: AbortSignal;
}

export interface StoreRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  query?: Record<string, string>;
  body?: string;
}

/** Region that signatures name; MinIO has none of its own unless it is told. */
export const region = 'us-east-1';
const adminPath = '/minio/admin/v3/';

/** S3 and MinIO's admin API, as one account. https://github.com/minio/minio/blob/master/cmd/admin-router.go */
export class StoreClient {
  readonly #aws: AwsClient;
  readonly #base: string;
  readonly #secret: string;
  readonly #signal: AbortSignal;

  constructor({ host, port, username, password, signal }: StoreClientOptions) {
    // Whoever asked decides whether to ask again.
    this.#aws = new AwsClient({ accessKeyId: username, secretAccessKey: password, service: 's3', region, retries: 0 });
    this.#base = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#secret = password;
    this.#signal = signal;
  }

  /** @param path of a bucket or an object, for example `/bucket/key`. @returns the answer's body. @throws StoreError */
  s3(path: string, request: StoreRequest): Promise<string> {
    return this.#send(path, request, request.body);
  }

  /** @param call for example `add-user`. @throws StoreError */
  admin(call: string, request: StoreRequest): Promise<string> {
    return this.#send(`${adminPath}${call}`, request, request.body);
  }

  /** A call of the admin API whose body holds a secret. @throws StoreError */
  async adminSealed(call: string, request: StoreRequest & { body: string }): Promise<string> {
    return this.#send(`${adminPath}${call}`, request, await sealBody(this.#secret, request.body));
  }

  async #send(path: string, { method, query = {} }: StoreRequest, body: string | Buffer | undefined): Promise<string> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const response = await this.#aws.fetch(url.href, {
      method,
      headers: {
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
      signal: this.#signal,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (response.ok) return text;
    throw new StoreError(`${method} ${path}`, response.status, field(text, 'Code'), field(text, 'Message'));
  }
}

/** Of an error: XML for S3, JSON for the admin API. */
function field(answer: string, name: string): string {
  const match = new RegExp(`<${name}>([^<]*)</${name}>|"${name}"\\s*:\\s*"((?:[^"\\\\]|\\\\.)*)"`).exec(answer);
  return match?.[1] ?? match?.[2] ?? '';
}
