import { createHash, createHmac } from 'node:crypto';

/** A request as it came in, taken apart once. */
export interface RawRequest {
  method: string;
  /** Decoded; begins with a slash. */
  path: string;
  /** Decoded, in the order of the request. */
  query: readonly (readonly [name: string, value: string])[];
  /** As Node gives them: names and values in turns. */
  rawHeaders: readonly string[];
}

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
export const hmac = (key: string | Uint8Array, data: string): Buffer => createHmac('sha256', key).update(data).digest();
export const emptySha256 = sha256('');

/** Percent-encodes every byte but RFC 3986's unreserved characters. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The part of SigV4's canonical request that does not depend on the headers: always made anew from what was decoded, as MinIO does. */
export function canonicalRequest(
  request: RawRequest,
  signedHeaders: readonly string[],
  headerValue: (name: string) => string,
  payloadHash: string,
): string {
  const query = request.query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encodeStrictly(name), encodeStrictly(value)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const path = request.path.split('/').map(encodeStrictly).join('/');
  const headers = signedHeaders.map((name) => `${name}:${headerValue(name)}\n`).join('');
  return [request.method, path, query, headers, signedHeaders.join(';'), payloadHash].join('\n');
}

/** What a signature is valid for. */
export interface Scope {
  /** `YYYYMMDD`. */
  date: string;
  region: string;
}

export const scopeText = ({ date, region }: Scope): string => `${date}/${region}/s3/aws4_request`;

export function signingKey(secret: string, { date, region }: Scope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), 's3'), 'aws4_request');
}

/** @param timestamp `YYYYMMDDTHHMMSSZ` */
export function stringToSign(timestamp: string, scope: Scope, canonical: string): string {
  return `AWS4-HMAC-SHA256\n${timestamp}\n${scopeText(scope)}\n${sha256(canonical)}`;
}
