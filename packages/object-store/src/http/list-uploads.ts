import { S3Error } from '../errors.ts';
import { checkPrefix } from '../names.ts';
import { owner } from './buckets.ts';
import type { Call } from './call.ts';
import { encoder, pageSize } from './list-objects.ts';
import { checksumElement } from './metadata.ts';

const maxPage = 10_000;
const initiator = { ID: owner.ID, DisplayName: owner.ID };

export async function listUploads(call: Call): Promise<void> {
  call.require('s3:ListBucketMultipartUploads');
  const text = (name: string): string => call.query.get(name) ?? '';
  const [prefix, delimiter, keyMarker, idMarker] = ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map(text);
  const limit = Math.min(pageSize(call.query.get('max-uploads'), 'maxUploads', maxPage), maxPage);
  const encoded = encoder(call);
  checkPrefix(prefix!);
  if (keyMarker !== '' && !keyMarker!.startsWith(prefix!)) throw new S3Error('NotImplemented');
  const commonPrefixes = new Set<string>();
  const uploads = [];
  let truncated = false;
  let next = { key: '', id: '' };
  for (const upload of await call.storage.uploads.list(call.bucket, prefix!)) {
    const order = Buffer.compare(Buffer.from(upload.key), Buffer.from(keyMarker!));
    if (keyMarker !== '' && (order < 0 || (order === 0 && (idMarker === '' || upload.id <= idMarker!)))) continue;
    const end = delimiter === '' ? -1 : upload.key.indexOf(delimiter!, prefix!.length);
    const common = end < 0 ? undefined : upload.key.slice(0, end + delimiter!.length);
    if (common !== undefined && (commonPrefixes.has(common) || (keyMarker !== '' && keyMarker!.startsWith(common)))) continue;
    if (uploads.length + commonPrefixes.size >= limit) {
      truncated = limit > 0;
      break;
    }
    if (common !== undefined) commonPrefixes.add(common);
    else uploads.push(upload);
    next = { key: common ?? upload.key, id: common === undefined ? upload.id : '' };
  }
  call.answerXml('ListMultipartUploadsResult', {
    Bucket: call.bucket,
    KeyMarker: encoded(keyMarker!),
    UploadIdMarker: idMarker!,
    NextKeyMarker: truncated ? encoded(next.key) : '',
    NextUploadIdMarker: truncated ? next.id : '',
    Delimiter: delimiter === '' ? undefined : encoded(delimiter!),
    EncodingType: call.query.get('encoding-type') || undefined,
    Prefix: encoded(prefix!),
    MaxUploads: limit,
    IsTruncated: truncated,
    Upload: uploads.map(({ key, id, record }) => ({
      Key: encoded(key),
      UploadId: id,
      Initiator: initiator,
      Owner: initiator,
      StorageClass: 'STANDARD',
      Initiated: new Date(record.started).toISOString(),
    })),
    CommonPrefixes: [...commonPrefixes].map((common) => ({ Prefix: encoded(common) })),
  });
}

export async function listParts(call: Call): Promise<void> {
  call.require('s3:ListMultipartUploadParts');
  const { uploads } = call.storage;
  const id = call.query.get('uploadId')!;
  const record = await uploads.get(call.bucket, call.key, id);
  const limit = Math.min(pageSize(call.query.get('max-parts'), 'maxParts', maxPage), maxPage);
  const marker = pageSize(call.query.get('part-number-marker'), 'partNumberMarker', 0);
  const rest = (await uploads.parts(id)).filter(({ number }) => number > marker);
  const parts = rest.slice(0, limit);
  const truncated = limit > 0 && rest.length > parts.length;
  call.answerXml('ListPartsResult', {
    Bucket: call.bucket,
    Key: encoder(call)(call.key),
    UploadId: id,
    Initiator: initiator,
    Owner: initiator,
    StorageClass: 'STANDARD',
    PartNumberMarker: marker,
    NextPartNumberMarker: truncated ? parts.at(-1)!.number : 0,
    MaxParts: limit,
    IsTruncated: truncated,
    ChecksumAlgorithm: record.checksum?.algorithm.toUpperCase() ?? '',
    ChecksumType: record.checksum?.type ?? '',
    Part: parts.map(({ number, modified, etag, size, checksum }) => ({
      PartNumber: number,
      LastModified: new Date(modified).toISOString(),
      ETag: `"${etag}"`,
      Size: size,
      ...checksumElement(record.checksum?.algorithm, checksum),
    })),
  });
}
