import { createHash } from 'node:crypto';
import { announcedChecksums } from '../checksums/incoming.ts';
import { S3Error } from '../errors.ts';
import { isKey } from '../names.ts';
import { childText, parseXml } from '../xml.ts';
import type { Call } from './call.ts';
import { isOnlyVersion, isVersionId, versionOf } from './version.ts';

/** Objects that one request may delete. */
const maxObjects = 1000;
/** Deleted at once: what they have in common is the flush of the disk. */
const atOnce = 100;

export async function deleteObject(call: Call): Promise<void> {
  call.require('s3:DeleteObject');
  await deleteVersion(call, call.key, versionOf(call));
  call.answerEmpty(204);
}

export async function deleteObjects(call: Call): Promise<void> {
  const { storage, bucket } = call;
  const announced = announcedChecksums((name) => call.header(name));
  if (announced.md5 === undefined && !announced.algorithm) throw new S3Error('MissingContentMD5');
  const text = await call.document();
  if (announced.md5 !== undefined && createHash('md5').update(text).digest('base64') !== announced.md5) throw new S3Error('BadDigest');
  const checksum = announced.algorithm?.start();
  checksum?.update(Buffer.from(text));
  const expected = announced.value ?? call.trailers.get(`x-amz-checksum-${announced.algorithm?.name}`);
  if (checksum && checksum.digest().toString('base64') !== expected) throw new S3Error('XAmzContentChecksumMismatch');
  const root = parseXml(text);
  const objects = root.children.filter(({ name }) => name === 'Object');
  if (root.name !== 'Delete' || objects.length === 0 || objects.length > maxObjects) throw new S3Error('MalformedXML');
  storage.buckets.get(bucket);
  const quiet = childText(root, 'Quiet') === 'true';
  const named = objects.map((object) => ({ Key: childText(object, 'Key') ?? '', VersionId: childText(object, 'VersionId') }));
  const errors: (S3Error | undefined)[] = [];
  for (let from = 0; from < named.length; from += atOnce)
    errors.push(...(await Promise.all(named.slice(from, from + atOnce).map((object) => deleteOne(call, object.Key, object.VersionId)))));
  call.answerXml('DeleteResult', {
    Deleted: quiet ? undefined : named.filter((_, at) => !errors[at]),
    Error: named.flatMap(({ Key, VersionId = '' }, at) =>
      errors[at] ? [{ Code: errors[at].code, Message: errors[at].message, Key, VersionId }] : [],
    ),
  });
}

/** @returns why it could not be deleted */
async function deleteOne(call: Call, key: string, version: string | undefined): Promise<S3Error | undefined> {
  try {
    call.require('s3:DeleteObject', { key });
    if (!isKey(key)) throw new S3Error('XMinioInvalidObjectName');
    if (!isOnlyVersion(version) && !isVersionId(version!)) throw new S3Error('NoSuchVersion');
    await deleteVersion(call, key, version);
    return undefined;
  } catch (error) {
    return error instanceof S3Error ? error : new S3Error('InternalError', { cause: error });
  }
}

/** A version that is not there is as good as deleted; the object as it is now must stay. */
async function deleteVersion(call: Call, key: string, version: string | undefined): Promise<void> {
  if (isOnlyVersion(version)) await call.storage.objects.delete(call.bucket, key);
  else call.storage.buckets.get(call.bucket);
}
