import { createHash } from 'node:crypto';
import { S3Error } from '../errors.ts';
import { algorithmNamed, algorithms, type Algorithm } from './algorithms.ts';

/** What a request says of its body's checksums. */
export interface Announced {
  /** 16 bytes, Base64. */
  md5?: string;
  algorithm?: Algorithm;
  /** Base64; undefined when it comes in a trailer, or when it is only to be computed. */
  value?: string;
  inTrailer: boolean;
}

/** @throws S3Error `InvalidDigest`, `InvalidArgument` */
export function announcedChecksums(header: (name: string) => string | undefined): Announced {
  const md5 = header('content-md5');
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) throw new S3Error('InvalidDigest');
  const given = algorithms.filter(({ name }) => header(`x-amz-checksum-${name}`) !== undefined);
  const trailers = (header('x-amz-trailer') ?? '').split(',').map((name) => name.trim().toLowerCase());
  const trailing = algorithms.filter(({ name }) => trailers.includes(`x-amz-checksum-${name}`));
  if (given.length + trailing.length > 1) throw invalid();
  const wanted = header('x-amz-checksum-algorithm') ?? header('x-amz-sdk-checksum-algorithm');
  const algorithm = given[0] ?? trailing[0];
  const value = given[0] && header(`x-amz-checksum-${given[0].name}`);
  if (given[0] && !isChecksum(given[0], value!)) throw invalid();
  if (algorithm) return { md5, algorithm, value, inTrailer: trailing.length > 0 };
  if (wanted !== undefined && !algorithmNamed(wanted)) throw invalid();
  return { md5, inTrailer: false };
}

export function isChecksum(algorithm: Algorithm, value: string): boolean {
  return Buffer.from(value, 'base64').length === algorithm.bytes;
}

export interface Digests {
  /** Hex. */
  md5: string;
  checksum?: { algorithm: string; value: string };
}

/**
 * Passes a body on and computes its MD5, which is the ETag, and the checksum that was announced.
 * @param done called at the end, when all is as announced
 * @throws S3Error when it is not
 */
export async function* digesting(
  body: AsyncIterable<Buffer>,
  announced: Announced,
  trailers: ReadonlyMap<string, string>,
  done: (digests: Digests) => void,
): AsyncIterable<Buffer> {
  const md5 = createHash('md5');
  const { algorithm } = announced;
  const checksum = algorithm?.start();
  for await (const piece of body) {
    md5.update(piece);
    checksum?.update(piece);
    yield piece;
  }
  const digest = md5.digest();
  if (announced.md5 !== undefined && !digest.equals(Buffer.from(announced.md5, 'base64'))) throw new S3Error('BadDigest');
  const value = checksum?.digest().toString('base64');
  if (algorithm) {
    const expected = announced.inTrailer ? trailers.get(`x-amz-checksum-${algorithm.name}`) : (announced.value ?? value);
    if (expected === undefined) throw new S3Error('BadRequest', { message: 'malformed chunked encoding' });
    if (expected !== value) throw new S3Error('XAmzContentChecksumMismatch');
  }
  done({ md5: digest.toString('hex'), ...(algorithm && value ? { checksum: { algorithm: algorithm.name, value } } : {}) });
}

function invalid(): S3Error {
  return new S3Error('InvalidArgument', { message: 'Invalid checksum provided.' });
}
