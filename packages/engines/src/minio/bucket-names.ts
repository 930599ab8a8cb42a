import { createHash } from 'node:crypto';

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
const shortest = 3;
const longest = 63;
/** Hex digits of a hash that keep two long names apart after they were cut. */
const hashLength = 8;
/** Paths of MinIO's own. */
const reserved = ['minio'];
/** No app's name starts with a digit, so what is put in front makes no name that another app has. */
const padding = '0-';

/** Why a name cannot be an app's bucket, as a sentence; `undefined` when it can. */
export function refusesBucket(name: string): string | undefined {
  if (name.length < shortest || name.length > longest)
    return `"${name}" has ${name.length} characters; a bucket of MinIO has ${shortest} to ${longest}.`;
  if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])$/.test(name) || /\.[.-]|-\./.test(name))
    return `"${name}" cannot name a bucket of MinIO: use lower-case letters, digits, "-" and single "."; start and end with a letter or digit.`;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return `"${name}" cannot name a bucket of MinIO: it reads as an IP address.`;
  return reserved.includes(name) ? `"${name}" belongs to MinIO itself and cannot be an app's bucket; choose another name.` : undefined;
}

/** @param name of the app and its environment, for example `domain_service_test`. */
export function defaultBucket(name: string): string {
  const bucket = name.replaceAll('_', '-');
  if (bucket.length < shortest || reserved.includes(bucket)) return `${padding}${bucket}`;
  if (bucket.length <= longest) return bucket;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashLength);
  return `${bucket.slice(0, longest - hashLength - 1)}-${hash}`;
}
