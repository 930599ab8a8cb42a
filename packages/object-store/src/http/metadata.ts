import { algorithmNamed } from '../checksums/algorithms.ts';
import { S3Error } from '../errors.ts';
import type { Metadata, ObjectRecord } from '../storage/records.ts';
import type { Call } from './call.ts';
import { headerText } from './header-text.ts';

const systemHeaders = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-type', 'expires'];
const userPrefix = 'x-amz-meta-';
/** In bytes, names included, as S3 has it. */
const maxUserBytes = 2048;
export const maxTags = 10;

/** What a request says of the object that it makes. @throws S3Error for what cannot be kept here */
export function metadataOf(call: Call): Metadata {
  const said = saidBy(call);
  const headers: Record<string, string> = {};
  for (const name of systemHeaders) {
    const value = said.get(name);
    if (value !== undefined) headers[name] = value;
  }
  headers['content-type'] ??= 'binary/octet-stream';
  const encoding = headers['content-encoding']
    ?.split(',')
    .map((one) => one.trim())
    .filter((one) => one !== 'aws-chunked' && one !== '')
    .join(',');
  if (encoding) headers['content-encoding'] = encoding;
  else delete headers['content-encoding'];
  const user: Record<string, string> = {};
  for (const [name, value] of said) if (name.startsWith(userPrefix)) user[name.slice(userPrefix.length)] = value;
  const bytes = Object.entries(user).reduce((sum, [name, value]) => sum + userPrefix.length + name.length + value.length, 0);
  if (bytes > maxUserBytes) throw new S3Error('MetadataTooLarge');
  return { headers, user };
}

/** What can be the name of a header: others could be stored, but not sent. */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/;

/** A request's headers. A presigned URL has them in its query as well: SDKs put there what they sign. What is sent as a header wins. */
function saidBy(call: Call): Map<string, string> {
  const said = new Map<string, string>();
  if (call.signed.presigned)
    for (const [name, value] of call.query) if (headerName.test(name)) said.set(name.toLowerCase(), headerText(value));
  for (const name in call.headers) said.set(name, call.header(name)!);
  return said;
}

/** @throws S3Error for what a request asks of an object that this store does not do */
export function refuseUnsupported(call: Call): void {
  const storageClass = call.header('x-amz-storage-class');
  if (storageClass !== undefined && !['STANDARD', 'REDUCED_REDUNDANCY', ''].includes(storageClass))
    throw new S3Error('InvalidStorageClass');
  if (call.header('x-amz-server-side-encryption-customer-algorithm') !== undefined)
    throw new S3Error('InvalidRequest', {
      message: 'Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.',
    });
  if (call.header('x-amz-server-side-encryption') !== undefined)
    throw new S3Error('NotImplemented', { message: 'Server side encryption specified but KMS is not configured' });
  if (['mode', 'retain-until-date', 'legal-hold'].some((name) => call.header(`x-amz-object-lock-${name}`) !== undefined))
    throw new S3Error('InvalidRequest', { message: 'Bucket is missing ObjectLockConfiguration' });
}

/** Tags given with the request, as a query: `a=b&c=d`. */
export function tagsOf(call: Call): Record<string, string> | undefined {
  const text = saidBy(call).get('x-amz-tagging');
  if (!text) return undefined;
  return checkTags([...new URLSearchParams(text)]);
}

/** Letters, numbers, spaces and what AWS lists beside them. */
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** @throws S3Error `InvalidTag`, `BadRequest` */
export function checkTags(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  if (pairs.length > maxTags) throw new S3Error('BadRequest', { message: `Tags cannot be more than ${maxTags}` });
  const tags = Object.fromEntries(pairs);
  if (Object.keys(tags).length < pairs.length)
    throw new S3Error('InvalidTag', { message: 'Cannot provide multiple Tags with the same key' });
  for (const [name, value] of pairs) {
    if (name === '' || name.length > 128 || !tagText.test(name))
      throw new S3Error('InvalidTag', { message: 'The TagKey you have provided is invalid' });
    if (value.length > 256 || !tagText.test(value))
      throw new S3Error('InvalidTag', { message: 'The TagValue you have provided is invalid' });
  }
  return tags;
}

/** Types that browsers run scripts of. Objects are whatever users uploaded. */
const active = /html|xml|svg|javascript/i;

/** What an answer says of an object. @param whole whether it brings all of the bytes, to which alone the checksum belongs */
export function objectHeaders(call: Call, record: ObjectRecord, whole: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    etag: `"${record.etag}"`,
    'last-modified': new Date(record.modified).toUTCString(),
    ...record.headers,
  };
  for (const name in record.user) headers[`${userPrefix}${name}`] = record.user[name]!;
  const tags = Object.keys(record.tags ?? {}).length;
  if (tags > 0) headers['x-amz-tagging-count'] = String(tags);
  if (whole && call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') Object.assign(headers, checksumHeaders(record));
  for (const name of systemHeaders) {
    const override = call.query.get(`response-${name}`);
    // A control character in it would end the header.
    if (override !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(override)) headers[name] = override;
  }
  if (active.test(headers['content-type'] ?? '')) headers['content-security-policy'] = 'sandbox';
  return headers;
}

export function checksumHeaders({ checksum }: Pick<ObjectRecord, 'checksum'>): Record<string, string> {
  if (!checksum) return {};
  return { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, 'x-amz-checksum-type': checksum.type };
}

/** An element of S3's documents with a checksum; nothing without one. */
export function checksumElement(algorithm: string | undefined, value: string | undefined): Record<string, string> {
  const element = algorithm && algorithmNamed(algorithm)?.element;
  return element && value ? { [element]: value } : {};
}
