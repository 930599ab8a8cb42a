import { S3Error } from './errors.ts';

/** Buckets that MinIO keeps for itself. */
const reservedBuckets = new Set(['minio', '.minio.sys']);

/** @throws S3Error when no bucket can have this name. */
export function checkBucketName(name: string): void {
  if (reservedBuckets.has(name)) throw new S3Error('AllAccessDisabled');
  const valid = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !/\.\.|\.-|-\./.test(name) && !/^\d{1,3}(\.\d{1,3}){3}$/.test(name);
  if (!valid) throw new S3Error('InvalidBucketName');
}

/** In bytes of UTF-8, as S3 has it. */
const maxKeyBytes = 1024;
/** MinIO's parts between slashes are names of files. Held to here as well, so that what works on the embedded cluster works on others. */
const maxSegmentBytes = 255;

/** @throws S3Error when MinIO would refuse the key. */
export function checkKey(key: string): void {
  if (hasDotSegment(key)) throw new S3Error('XMinioInvalidResourceName');
  if (Buffer.byteLength(key) > maxKeyBytes) throw new S3Error('KeyTooLongError');
  if (!isStorable(key)) throw new S3Error('XMinioInvalidObjectName');
}

export function isKey(key: string): boolean {
  return !hasDotSegment(key) && Buffer.byteLength(key) <= maxKeyBytes && isStorable(key);
}

/** @throws S3Error when no key can begin with this. */
export function checkPrefix(prefix: string): void {
  if (hasDotSegment(prefix)) throw new S3Error('XMinioInvalidResourceName');
  if (prefix.includes('//') || prefix.includes('\0')) throw new S3Error('XMinioInvalidObjectName');
}

/** Zero bytes separate the parts of keys in the index; MinIO refuses them too. */
function isStorable(key: string): boolean {
  return (
    key !== '' &&
    !key.includes('//') &&
    !key.includes('\0') &&
    !key.includes('\ufffd') &&
    key.split('/').every((segment) => Buffer.byteLength(segment) <= maxSegmentBytes)
  );
}

function hasDotSegment(path: string): boolean {
  return /(^|\/)\.{1,2}(\/|$)/.test(path);
}
