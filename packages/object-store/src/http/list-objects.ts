import { encodeStrictly } from '../auth/canonical.ts';
import { S3Error } from '../errors.ts';
import { checkPrefix } from '../names.ts';
import type { Listing } from '../storage/listing.ts';
import type { XmlContent } from '../xml.ts';
import { owner } from './buckets.ts';
import type { Call } from './call.ts';

/** Entries of one page. */
const maxPage = 1000;

interface ListRequest {
  prefix: string;
  delimiter: string;
  maxKeys: number;
  /** Encodes what may not be text. */
  encoded: (text: string) => string;
}

export async function listObjectsV2(call: Call): Promise<void> {
  const request = listRequest(call);
  const token = call.query.get('continuation-token');
  const startAfter = call.query.get('start-after') ?? '';
  const after = token === undefined ? startAfter : fromToken(token);
  const listing = await page(call, request, after);
  const withOwner = call.query.get('fetch-owner') === 'true';
  call.answerXml('ListBucketResult', {
    Name: call.bucket,
    Prefix: request.encoded(request.prefix),
    StartAfter: startAfter === '' ? undefined : request.encoded(startAfter),
    ContinuationToken: token,
    NextContinuationToken: listing.next === undefined ? undefined : toToken(listing.next),
    KeyCount: listing.objects.length + listing.commonPrefixes.length,
    MaxKeys: request.maxKeys,
    Delimiter: request.delimiter === '' ? undefined : request.encoded(request.delimiter),
    IsTruncated: listing.next !== undefined,
    ...entries(listing, request, withOwner),
    EncodingType: call.query.get('encoding-type') || undefined,
  });
}

export async function listObjectsV1(call: Call): Promise<void> {
  const request = listRequest(call);
  const marker = call.query.get('marker') ?? '';
  if (marker !== '' && !marker.startsWith(request.prefix)) throw new S3Error('NotImplemented');
  const listing = await page(call, request, marker);
  call.answerXml('ListBucketResult', {
    Name: call.bucket,
    Prefix: request.encoded(request.prefix),
    Marker: request.encoded(marker),
    NextMarker: listing.next === undefined ? undefined : request.encoded(listing.next),
    MaxKeys: request.maxKeys,
    Delimiter: request.delimiter === '' ? undefined : request.encoded(request.delimiter),
    IsTruncated: listing.next !== undefined,
    ...entries(listing, request, true),
    EncodingType: call.query.get('encoding-type') || undefined,
  });
}

/** Every object has one version, called null. */
export async function listVersions(call: Call): Promise<void> {
  const request = listRequest(call, 's3:ListBucketVersions');
  const marker = call.query.get('key-marker') ?? '';
  const listing = await page(call, request, marker);
  const { Contents, CommonPrefixes } = entries(listing, request, true);
  call.answerXml('ListVersionsResult', {
    Name: call.bucket,
    Prefix: request.encoded(request.prefix),
    KeyMarker: request.encoded(marker),
    NextKeyMarker: listing.next === undefined ? '' : request.encoded(listing.next),
    NextVersionIdMarker: '',
    VersionIdMarker: '',
    MaxKeys: request.maxKeys,
    Delimiter: request.delimiter === '' ? undefined : request.encoded(request.delimiter),
    IsTruncated: listing.next !== undefined,
    Version: Contents.map((content) => ({ ...content, IsLatest: true, VersionId: 'null' })),
    CommonPrefixes,
    EncodingType: call.query.get('encoding-type') || undefined,
  });
}

function listRequest(call: Call, action = 's3:ListBucket'): ListRequest {
  const [prefix, delimiter] = [call.query.get('prefix') ?? '', call.query.get('delimiter') ?? ''];
  const maxKeys = pageSize(call.query.get('max-keys'), 'maxKeys', maxPage);
  call.require(action, { values: { 's3:prefix': prefix, 's3:delimiter': delimiter, 's3:max-keys': String(maxKeys) } });
  checkPrefix(prefix);
  return { prefix, delimiter, maxKeys, encoded: encoder(call) };
}

/** @throws S3Error `InvalidArgument` */
export function pageSize(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  if (!/^\d+$/.test(text) || Number(text) > 0x7fffffff)
    throw new S3Error('InvalidArgument', { message: `Argument ${name} must be an integer between 0 and 2147483647` });
  return Number(text);
}

/** @throws S3Error `InvalidArgument` */
export function encoder(call: Call): (text: string) => string {
  const type = call.query.get('encoding-type') ?? '';
  if (type === '') return (text) => text;
  if (type.toLowerCase() !== 'url') throw new S3Error('InvalidArgument', { message: 'Invalid Encoding Method specified in Request' });
  return (text) => encodeStrictly(text).replaceAll('%2F', '/').replaceAll('%20', '+').replaceAll('%2A', '*');
}

async function page(call: Call, { prefix, delimiter, maxKeys }: ListRequest, after: string): Promise<Listing> {
  return await call.storage.list(call.bucket, { prefix, delimiter, after, limit: Math.min(maxKeys, maxPage) });
}

function entries(listing: Listing, { encoded }: ListRequest, withOwner: boolean) {
  const Contents = listing.objects.map(({ key, record }): { [name: string]: XmlContent | undefined } => ({
    Key: encoded(key),
    LastModified: new Date(record.modified).toISOString(),
    ETag: `"${record.etag}"`,
    Size: record.size,
    Owner: withOwner ? owner : undefined,
    StorageClass: 'STANDARD',
  }));
  return { Contents, CommonPrefixes: listing.commonPrefixes.map((prefix) => ({ Prefix: encoded(prefix) })) };
}

const toToken = (key: string): string => Buffer.from(key).toString('base64');

function fromToken(token: string): string {
  const key = Buffer.from(token, 'base64').toString();
  if (token === '' || toToken(key) !== token)
    throw new S3Error('InvalidArgument', { message: 'The continuation token provided is incorrect' });
  return key;
}
