import { createHash, createHmac } from 'node:crypto';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { S3Client } from '@aws-sdk/client-s3';

/** A store under test, and its administrator. */
export interface Account {
  endpoint: string;
  accessKey: string;
  secretKey: string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** `<Code>` of an error. */
  code: string | undefined;
}

export interface RawRequest {
  method: string;
  /** Encoded. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Buffer | Buffer[];
  /** Instead of the body's hash. */
  payloadHash?: string;
  date?: Date;
  region?: string;
  /** Changes what was signed before it is sent. */
  tamper?: (headers: Record<string, string>) => void;
}

export function sdkClient({ endpoint, accessKey, secretKey }: Account): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    maxAttempts: 1,
  });
}

const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
export const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
export const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('base64');

export const encodePart = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      /[A-Za-z0-9_.~-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
export const encodeKey = (key: string): string => key.split('/').map(encodePart).join('/');

export interface Signature {
  key: Buffer;
  timestamp: string;
  scope: string;
  signature: string;
}

const timestampOf = (date: Date): string => date.toISOString().replace(/[-:]|\.\d+/g, '');
const queryText = (query: Record<string, string>): string =>
  Object.entries(query)
    .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
    .sort()
    .join('&');

function sign(account: Account, canonical: string, date: Date, region: string): Signature {
  const timestamp = timestampOf(date);
  const scope = `${timestamp.slice(0, 8)}/${region}/s3/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${account.secretKey}`, timestamp.slice(0, 8)), region), 's3'), 'aws4_request');
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`).toString('hex');
  return { key, timestamp, scope, signature };
}

/** Signs by header. Written from AWS's documentation, apart from the code under test. */
export function signedHeaders(account: Account, options: RawRequest): { headers: Record<string, string>; signature: Signature } {
  const { method, path, query = {}, body = '', date = new Date(), region = 'us-east-1' } = options;
  const hash = options.payloadHash ?? sha256(Array.isArray(body) ? Buffer.concat(body) : body);
  const headers: Record<string, string> = {
    host: new URL(account.endpoint).host,
    ...options.headers,
    'x-amz-date': timestampOf(date),
    'x-amz-content-sha256': hash,
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, ' ')}\n`).join('');
  const signature = sign(account, [method, path, queryText(query), lines, names.join(';'), hash].join('\n'), date, region);
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${account.accessKey}/${signature.scope}, SignedHeaders=${names.join(';')}, Signature=${signature.signature}`;
  return { headers, signature };
}

/** The query of a presigned URL. */
export function presignedQuery(
  account: Account,
  options: {
    method: string;
    path: string;
    expires?: number | string;
    date?: Date;
    query?: Record<string, string>;
    headers?: Record<string, string>;
  },
): string {
  const { method, path, expires = 60, date = new Date(), headers = {} } = options;
  const signed: Record<string, string> = { host: new URL(account.endpoint).host, ...headers };
  const names = Object.keys(signed).sort();
  const query = queryText({
    ...options.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${account.accessKey}/${timestampOf(date).slice(0, 8)}/us-east-1/s3/aws4_request`,
    'X-Amz-Date': timestampOf(date),
    'X-Amz-Expires': String(expires),
    'X-Amz-SignedHeaders': names.join(';'),
  });
  const lines = names.map((name) => `${name}:${signed[name]}\n`).join('');
  const canonical = [method, path, query, lines, names.join(';'), 'UNSIGNED-PAYLOAD'].join('\n');
  return `${query}&X-Amz-Signature=${sign(account, canonical, date, 'us-east-1').signature}`;
}

/** One signed request, its path sent as it is. */
export async function signedRequest(account: Account, options: RawRequest): Promise<Answer> {
  const { headers } = signedHeaders(account, options);
  options.tamper?.(headers);
  return await send(account.endpoint, { ...options, headers, rawQuery: queryText(options.query ?? {}) });
}

// A connection that the server gives up in the middle of an upload must not be there for the next request.
const agent = new Agent({ keepAlive: false });

export function send(
  endpoint: string,
  { method, path, rawQuery = '', headers = {}, body = '' }: Omit<RawRequest, 'query'> & { rawQuery?: string },
): Promise<Answer> {
  const { hostname, port } = new URL(endpoint);
  const pieces = Array.isArray(body) ? body : [Buffer.from(body)];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: hostname,
        port,
        method,
        path: rawQuery === '' ? path : `${path}?${rawQuery}`,
        headers: { ...(headers['transfer-encoding'] ? {} : { 'content-length': String(length) }), ...headers },
        agent,
      },
      (response) => {
        const received: Buffer[] = [];
        response.on('data', (data: Buffer) => received.push(data));
        response.once('error', reject);
        response.once('end', () => {
          const answer = Buffer.concat(received);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: answer,
            code: /<Code>(.*?)<\/Code>/.exec(answer.toString('latin1', 0, 4096))?.[1],
          });
        });
      },
    );
    // A server that ends a long upload with an answer may make more errors than one.
    call.on('error', reject);
    for (const piece of pieces) call.write(piece);
    call.end();
  });
}

/** A body in signed chunks, as AWS documents `STREAMING-AWS4-HMAC-SHA256-PAYLOAD` and its `-TRAILER`. */
export function signedChunks(
  { key, timestamp, scope, signature }: Signature,
  pieces: readonly Buffer[],
  trailer?: [name: string, value: string],
): Buffer {
  let previous = signature;
  const next = (kind: string, hash: string): string =>
    (previous = hmac(key, `${kind}\n${timestamp}\n${scope}\n${previous}\n${hash}`).toString('hex'));
  const parts = [...pieces, Buffer.alloc(0)].map((piece) => {
    const chunk = next('AWS4-HMAC-SHA256-PAYLOAD', `${sha256('')}\n${sha256(piece)}`);
    const head = Buffer.from(`${piece.length.toString(16)};chunk-signature=${chunk}\r\n`);
    return piece.length === 0 ? head : Buffer.concat([head, piece, Buffer.from('\r\n')]);
  });
  if (trailer) {
    const signed = next('AWS4-HMAC-SHA256-TRAILER', sha256(`${trailer[0]}:${trailer[1]}\n`));
    parts.push(Buffer.from(`${trailer[0]}:${trailer[1]}\r\nx-amz-trailer-signature:${signed}\r\n\r\n`));
  } else parts.push(Buffer.from('\r\n'));
  return Buffer.concat(parts);
}
