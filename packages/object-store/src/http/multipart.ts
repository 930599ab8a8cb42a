import { algorithmNamed, type ChecksumType } from '../checksums/algorithms.ts';
import { S3Error } from '../errors.ts';
import type { PartRecord, UploadRecord } from '../storage/records.ts';
import type { Call } from './call.ts';
import { copyBytes, copySource, readSource } from './copy-object.ts';
import { metadataOf, refuseUnsupported, tagsOf } from './metadata.ts';
import { receive } from './put-object.ts';
import { copyRange } from './range.ts';

const maxPartNumber = 10_000;
/** In bytes. */
const maxPartBytes = 5 * 2 ** 30;

export async function createUpload(call: Call): Promise<void> {
  call.require('s3:PutObject');
  const tags = tagsOf(call);
  if (tags) call.require('s3:PutObjectTagging');
  refuseUnsupported(call);
  const checksum = wantedChecksum(call);
  const record: UploadRecord = { ...metadataOf(call), started: Date.now(), checksum, tags };
  const id = await call.storage.uploads.create(call.bucket, call.key, record);
  const headers = checksum && { 'x-amz-checksum-algorithm': checksum.algorithm.toUpperCase(), 'x-amz-checksum-type': checksum.type };
  call.answerXml('InitiateMultipartUploadResult', { Bucket: call.bucket, Key: call.key, UploadId: id }, headers);
}

function wantedChecksum(call: Call): UploadRecord['checksum'] {
  const name = call.header('x-amz-checksum-algorithm');
  if (name === undefined) return undefined;
  const algorithm = algorithmNamed(name);
  const type = (call.header('x-amz-checksum-type') ?? algorithm?.types[0]) as ChecksumType;
  if (!algorithm || !algorithm.types.includes(type)) throw new S3Error('InvalidArgument', { message: 'Invalid checksum provided.' });
  return { algorithm: algorithm.name, type };
}

export async function uploadPart(call: Call): Promise<void> {
  call.require('s3:PutObject');
  const { uploads, objects } = call.storage;
  const number = partNumber(call);
  const id = call.query.get('uploadId')!;
  const upload = await uploads.get(call.bucket, call.key, id);
  const { stored, digests } = await receive(call, maxPartBytes, (source) => objects.contents.storeFile(source));
  const wanted = upload.checksum?.algorithm;
  if (wanted !== undefined && wanted !== digests.checksum?.algorithm) {
    objects.contents.discard(stored);
    const got = digests.checksum?.algorithm.toUpperCase() ?? '';
    throw new S3Error('InvalidArgument', { message: `checksum missing, want "${wanted.toUpperCase()}", got "${got}"` });
  }
  const part: PartRecord = {
    number,
    etag: digests.md5,
    size: stored.size,
    modified: Date.now(),
    blob: stored.content.id,
    checksum: wanted && digests.checksum?.value,
  };
  await uploads.addPart(call.bucket, call.key, id, stored, part);
  const given = digests.checksum;
  call.answerEmpty(200, { etag: `"${part.etag}"`, ...(given ? { [`x-amz-checksum-${given.algorithm}`]: given.value } : {}) });
}

export async function uploadPartCopy(call: Call): Promise<void> {
  call.require('s3:PutObject');
  const { uploads, objects } = call.storage;
  const number = partNumber(call);
  const id = call.query.get('uploadId')!;
  const source = copySource(call);
  const part = await readSource(call, source, async (record, content): Promise<PartRecord> => {
    const { start, length } = copyRange(call.header('x-amz-copy-source-range'), record.size);
    if (length > maxPartBytes) throw new S3Error('EntityTooLarge');
    const upload = await uploads.get(call.bucket, call.key, id);
    await call.storage.space.require(length);
    const { stored, digests } = await copyBytes(content.read(start, length), upload.checksum?.algorithm, (bytes) =>
      objects.contents.storeFile(bytes),
    );
    const added = {
      number,
      etag: digests.md5,
      size: stored.size,
      modified: Date.now(),
      blob: stored.content.id,
      checksum: digests.checksum?.value,
    };
    await uploads.addPart(call.bucket, call.key, id, stored, added);
    return added;
  });
  call.answerXml('CopyPartResult', { LastModified: new Date(part.modified).toISOString(), ETag: `"${part.etag}"` });
}

export async function abortUpload(call: Call): Promise<void> {
  call.require('s3:AbortMultipartUpload');
  try {
    await call.storage.uploads.abort(call.bucket, call.key, call.query.get('uploadId')!);
  } catch (error) {
    // Gone is what was wanted.
    if (!(error instanceof S3Error) || error.code !== 'NoSuchUpload') throw error;
  }
  call.answerEmpty(204);
}

function partNumber(call: Call): number {
  const text = call.query.get('partNumber') ?? '';
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text) || number < 1) throw new S3Error('InvalidPart');
  if (number > maxPartNumber)
    throw new S3Error('InvalidArgument', { message: 'Part number must be an integer between 1 and 10000, inclusive' });
  return number;
}
