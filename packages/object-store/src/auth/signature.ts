import { timingSafeEqual } from 'node:crypto';
import { S3Error } from '../errors.ts';
import { canonicalRequest, emptySha256, hmac, signingKey, stringToSign, type RawRequest, type Scope } from './canonical.ts';

/** How the request's body is protected: its hash (hex), or one of the words that S3 has for it. */
export type PayloadHash = string;

/** A request whose signature is right. */
export interface SignedRequest {
  accessKey: string;
  payloadHash: PayloadHash;
  /** Signed by the query: a presigned URL. */
  presigned: boolean;
  /** What the signatures of chunks go on from. */
  chain: { key: Buffer; timestamp: string; scope: Scope; signature: string };
}

/** Clocks may differ by this much. */
const maxSkewMs = 15 * 60_000;
const maxExpirySeconds = 7 * 86_400;

interface Claim {
  accessKey: string;
  scope: Scope;
  signedHeaders: string[];
  signature: string;
}

/**
 * Verifies SigV4 by header or by query.
 * @param secretOf the secret of an access key; undefined for one that is unknown or disabled
 * @throws S3Error `AccessDenied` for a request that is not signed at all
 */
export function verifySignature(request: RawRequest, secretOf: (accessKey: string) => string | undefined, now = Date.now()): SignedRequest {
  const query = new Map(request.query);
  const authorization = header(request, 'authorization');
  if (authorization !== undefined) return verifyHeader(request, authorization, secretOf, now);
  if (query.has('X-Amz-Credential') || query.has('X-Amz-Algorithm')) return verifyQuery(request, query, secretOf, now);
  throw new S3Error('AccessDenied');
}

function verifyHeader(
  request: RawRequest,
  authorization: string,
  secretOf: (accessKey: string) => string | undefined,
  now: number,
): SignedRequest {
  if (!authorization.startsWith('AWS4-HMAC-SHA256')) {
    // Version 2, whose requests MinIO answers so as well.
    if (authorization.startsWith('AWS ')) throw new S3Error('SignatureDoesNotMatch');
    throw new S3Error('InvalidRequest', {
      message: 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    });
  }
  const timestamp = timestampOf(header(request, 'x-amz-date') ?? header(request, 'date'));
  if (Math.abs(now - timestamp.ms) > maxSkewMs) throw new S3Error('RequestTimeTooSkewed');
  const claim = headerClaim(authorization);
  const payloadHash = header(request, 'x-amz-content-sha256') ?? emptySha256;
  return check(request, claim, timestamp.text, payloadHash, false, secretOf);
}

function verifyQuery(
  request: RawRequest,
  query: ReadonlyMap<string, string>,
  secretOf: (accessKey: string) => string | undefined,
  now: number,
): SignedRequest {
  const names = ['Algorithm', 'Credential', 'Signature', 'Date', 'SignedHeaders', 'Expires'];
  const [algorithm, credential, signature, date, signedHeaders, expires] = names.map((name) => query.get(`X-Amz-${name}`));
  if ([algorithm, credential, signature, date, signedHeaders, expires].includes(undefined)) throw queryError();
  if (algorithm !== 'AWS4-HMAC-SHA256') throw queryError('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256".');
  const { accessKey, scope } = parseCredential(credential!);
  const timestamp = timestampOf(date);
  const seconds = Number(expires);
  if (!/^-?\d+$/.test(expires!)) throw queryError('X-Amz-Expires should be a number');
  if (seconds < 0) throw queryError('X-Amz-Expires must be non-negative');
  if (seconds > maxExpirySeconds)
    throw queryError(
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    );
  if (timestamp.ms > now + maxSkewMs) throw new S3Error('AccessDenied', { message: 'Request is not valid yet' });
  if (now - timestamp.ms > seconds * 1000) throw new S3Error('AccessDenied', { message: 'Request has expired' });
  const claim = { accessKey, scope, signedHeaders: signedHeaders!.split(';'), signature: signature! };
  const signed = new Set(claim.signedHeaders);
  const payloadHash = query.get('X-Amz-Content-Sha256') ?? header(request, 'x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
  // A URL's holder must not add metadata or a copy's source that its maker did not sign.
  for (const [name] of headersOf(request))
    if (name.startsWith('x-amz-') && !signed.has(name) && !(name === 'x-amz-content-sha256' && payloadHash === 'UNSIGNED-PAYLOAD'))
      throw unsignedHeaders();
  return check(request, claim, timestamp.text, payloadHash, true, secretOf);
}

function check(
  request: RawRequest,
  claim: Claim,
  timestamp: string,
  payloadHash: string,
  presigned: boolean,
  secretOf: (accessKey: string) => string | undefined,
): SignedRequest {
  if (!claim.signedHeaders.includes('host')) throw unsignedHeaders();
  const secret = secretOf(claim.accessKey);
  if (secret === undefined) throw new S3Error('InvalidAccessKeyId');
  const values = (name: string): string => {
    const value = header(request, name);
    if (value !== undefined) return value.trim().replace(/\s+/g, ' ');
    // Proxies swallow it once it is answered.
    if (name === 'expect') return '100-continue';
    throw unsignedHeaders();
  };
  const canonical = canonicalRequest(request, claim.signedHeaders, values, payloadHash);
  const key = signingKey(secret, claim.scope);
  if (!sameSignature(hmac(key, stringToSign(timestamp, claim.scope, canonical)).toString('hex'), claim.signature))
    throw new S3Error('SignatureDoesNotMatch');
  // The date that the key is made of must be the one that was checked against the clock.
  if (!timestamp.startsWith(claim.scope.date)) throw new S3Error('SignatureDoesNotMatch');
  return { accessKey: claim.accessKey, payloadHash, presigned, chain: { key, timestamp, scope: claim.scope, signature: claim.signature } };
}

/** Compares in a time that does not tell how much of it is right. */
export function sameSignature(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}

function headerClaim(authorization: string): Claim {
  const fields = new Map(
    authorization
      .slice('AWS4-HMAC-SHA256'.length)
      .split(',')
      .map((field) => {
        const [name, ...value] = field.trim().split('=');
        return [name!, value.join('=')] as const;
      }),
  );
  const [credential, signedHeaders, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) => fields.get(name));
  if (!credential || !signedHeaders || !signature) throw new S3Error('MissingFields');
  return { ...parseCredential(credential), signedHeaders: signedHeaders.split(';'), signature };
}

/** `<access key>/<date>/<region>/s3/aws4_request`; an access key may hold slashes. */
function parseCredential(text: string): { accessKey: string; scope: Scope } {
  const parts = text.split('/');
  const [date, region, service, terminal] = parts.slice(-4);
  const accessKey = parts.slice(0, -4).join('/');
  if (parts.length < 5 || !accessKey || !/^\d{8}$/.test(date!))
    throw queryError(
      'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  if (service !== 's3') throw new S3Error('AuthorizationParametersError');
  if (terminal !== 'aws4_request')
    throw queryError('Error parsing the X-Amz-Credential parameter; incorrect terminal. This endpoint uses "aws4_request".');
  return { accessKey, scope: { date: date!, region: region! } };
}

function timestampOf(text: string | undefined): { text: string; ms: number } {
  if (text === undefined)
    throw new S3Error('AccessDenied', { message: 'AWS authentication requires a valid Date or x-amz-date header', status: 400 });
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const ms = parts ? Date.UTC(+parts[1]!, +parts[2]! - 1, +parts[3]!, +parts[4]!, +parts[5]!, +parts[6]!) : Date.parse(text);
  if (Number.isNaN(ms)) throw new S3Error('MalformedDate');
  return { ms, text: parts ? text : `${new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')}` };
}

function headersOf({ rawHeaders }: RawRequest): (readonly [name: string, value: string])[] {
  const pairs = [];
  for (let at = 0; at < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!] as const);
  return pairs;
}

/** Repeated headers are joined, as they were signed. */
function header(request: RawRequest, name: string): string | undefined {
  const values = headersOf(request).filter(([other]) => other === name);
  // Node reads bytes as characters; what was signed is UTF-8.
  return values.length === 0 ? undefined : Buffer.from(values.map(([, value]) => value).join(','), 'latin1').toString();
}

const queryError = (message?: string): S3Error => new S3Error('AuthorizationQueryParametersError', { message });
const unsignedHeaders = (): S3Error =>
  new S3Error('AccessDenied', { message: 'There were headers present in the request which were not signed', status: 400 });
