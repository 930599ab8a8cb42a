import { createHash, type Hash } from 'node:crypto';
import { S3Error } from '../errors.ts';
import { emptySha256, hmac, scopeText, sha256 } from './canonical.ts';
import { ChunkReader } from './chunk-reader.ts';
import { sameSignature, type SignedRequest } from './signature.ts';

/** What came after the last chunk: names in lower case. */
export type Trailers = Map<string, string>;

const unsigned = 'UNSIGNED-PAYLOAD';
const streaming: Record<string, { signed: boolean; trailer: boolean }> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
};

/** Whether the body comes in chunks of S3's own (`aws-chunked`). */
export function isStreaming(payloadHash: string): boolean {
  return payloadHash.startsWith('STREAMING-');
}

/**
 * The body's own bytes. What is yielded counts only once the generator has ended: it throws at the end when a hash or a signature is
 * wrong, so that nothing has to be held back.
 * @param length of the bytes that are to come out
 * @param trailers filled in at the end
 */
export function verifiedPayload(
  body: AsyncIterable<Buffer>,
  request: SignedRequest,
  length: number | undefined,
  trailers: Trailers,
): AsyncIterable<Buffer> {
  if (request.payloadHash === unsigned) return body;
  if (!isStreaming(request.payloadHash)) return hashed(body, request.payloadHash);
  const mode = streaming[request.payloadHash];
  if (!mode) throw new S3Error('NotImplemented');
  return chunked(body, request, mode, length, trailers);
}

async function* hashed(body: AsyncIterable<Buffer>, expected: string): AsyncIterable<Buffer> {
  if (!/^[0-9a-f]{64}$/i.test(expected)) throw new S3Error('XAmzContentSHA256Mismatch');
  const hash = createHash('sha256');
  for await (const data of body) {
    hash.update(data);
    yield data;
  }
  if (hash.digest('hex') !== expected.toLowerCase()) throw new S3Error('XAmzContentSHA256Mismatch');
}

async function* chunked(
  body: AsyncIterable<Buffer>,
  { chain }: SignedRequest,
  { signed, trailer }: { signed: boolean; trailer: boolean },
  length: number | undefined,
  trailers: Trailers,
): AsyncIterable<Buffer> {
  const reader = new ChunkReader(body);
  const scope = `${chain.timestamp}\n${scopeText(chain.scope)}`;
  let previous = chain.signature;
  let total = 0;
  const verify = (kind: string, hash: string, given: string): void => {
    const expected = hmac(chain.key, `${kind}\n${scope}\n${previous}\n${hash}`).toString('hex');
    if (!sameSignature(expected, given)) throw new S3Error('SignatureDoesNotMatch');
    previous = expected;
  };
  for (;;) {
    const { size, signature } = parseChunkHeader(await reader.line());
    if (signed && signature === undefined) throw malformed();
    total += size;
    if (length !== undefined && total > length) throw new S3Error('ExcessData');
    const hash: Hash | undefined = signed ? createHash('sha256') : undefined;
    for await (const data of reader.bytes(size)) {
      hash?.update(data);
      yield data;
    }
    if (hash) verify('AWS4-HMAC-SHA256-PAYLOAD', `${emptySha256}\n${hash.digest('hex')}`, signature!);
    if (size === 0) break;
    if ((await reader.line()) !== '') throw malformed();
  }
  if (length !== undefined && total < length) throw new S3Error('IncompleteBody');
  if (!trailer) return;
  const trailerSignature = await readTrailers(reader, trailers);
  if (!signed) return;
  if (trailerSignature === undefined) throw new S3Error('SignatureDoesNotMatch');
  const text = [...trailers].map(([name, value]) => `${name}:${value}\n`).join('');
  verify('AWS4-HMAC-SHA256-TRAILER', sha256(text), trailerSignature);
}

/** @returns the trailers' signature, where there is one */
async function readTrailers(reader: ChunkReader, trailers: Trailers): Promise<string | undefined> {
  let signature: string | undefined;
  for (let count = 0; ; count++) {
    const line = await reader.line({ orEnd: true });
    if (line === '') return signature;
    const colon = line.indexOf(':');
    if (colon < 1 || count > 16) throw malformed();
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'x-amz-trailer-signature') signature = value;
    else trailers.set(name, value);
  }
}

/** `<size in hex>[;chunk-signature=<hex>]` */
function parseChunkHeader(line: string): { size: number; signature: string | undefined } {
  const match = /^([0-9a-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line);
  if (!match) throw malformed();
  return { size: Number.parseInt(match[1]!, 16), signature: match[2] };
}

function malformed(): S3Error {
  return new S3Error('BadRequest', { message: 'malformed chunked encoding' });
}
