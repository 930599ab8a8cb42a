import { digesting, type Announced, type Digests } from '../checksums/incoming.ts';
import { algorithmNamed } from '../checksums/algorithms.ts';
import { S3Error } from '../errors.ts';
import type { OpenContent, Stored } from '../storage/contents.ts';
import type { ObjectRecord } from '../storage/records.ts';
import type { Call } from './call.ts';
import { checkCopySource, writeCondition } from './conditions.ts';
import { checksumHeaders, metadataOf, refuseUnsupported, tagsOf } from './metadata.ts';
import { checkTarget, splitPath } from './target.ts';

export async function copyObject(call: Call): Promise<void> {
  const { storage, bucket, key } = call;
  call.require('s3:PutObject');
  const replace = directive(call, 'x-amz-metadata-directive', 'metadata');
  const retag = directive(call, 'x-amz-tagging-directive', 'tagging');
  refuseUnsupported(call);
  const source = copySource(call);
  const isSame = source.bucket === bucket && source.key === key;
  if (isSame && !replace && !retag && call.header('x-amz-storage-class') === undefined)
    throw new S3Error('InvalidRequest', {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    });
  const condition = writeCondition(call);
  const record = await readSource(call, source, async (original, content) => {
    storage.buckets.get(bucket);
    // What can be refused is looked at before anything is stored.
    const given = replace ? metadataOf(call) : { headers: original.headers, user: original.user };
    const tags = retag ? tagsOf(call) : original.tags;
    const { stored, digests } = await copyContent(call, original, content);
    const checksum = digests.checksum && { ...digests.checksum, type: 'FULL_OBJECT' as const };
    const copy: ObjectRecord = {
      ...given,
      etag: digests.md5,
      size: stored.size,
      modified: Date.now(),
      content: stored.content,
      checksum,
      tags,
    };
    await storage.objects.put(bucket, key, stored, copy, condition);
    return copy;
  });
  const document = { LastModified: new Date(record.modified).toISOString(), ETag: `"${record.etag}"` };
  call.answerXml('CopyObjectResult', document, { etag: `"${record.etag}"`, ...checksumHeaders(record) });
}

/** Runs `use` with a copy's source. @throws S3Error when it is not there, not allowed, or not as its conditions want it */
export async function readSource<Result>(
  call: Call,
  source: { bucket: string; key: string },
  use: (record: ObjectRecord, content: OpenContent) => Promise<Result>,
): Promise<Result> {
  call.require('s3:GetObject', source);
  const details = { Key: source.key, BucketName: source.bucket };
  return await call.storage.objects.read(source.bucket, source.key, async (record, content) => {
    if (!record || !content) throw new S3Error('NoSuchKey', { details });
    checkCopySource(call, record);
    return await use(record, content);
  });
}

/** What `x-amz-copy-source` names. @throws S3Error `InvalidArgument` */
export function copySource(call: Call): { bucket: string; key: string } {
  const header = call.header('x-amz-copy-source')!;
  const [encoded, version] = header.split('?versionId=');
  let path: string;
  try {
    path = decodeURIComponent(Buffer.from(encoded!, 'latin1').toString());
  } catch {
    path = '';
  }
  const { bucket, key } = splitPath(path.startsWith('/') ? path : `/${path}`);
  if (bucket === '' || key === '')
    throw new S3Error('InvalidArgument', { message: 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey.' });
  if (version !== undefined && version !== 'null') throw new S3Error('NoSuchVersion');
  checkTarget(bucket, key);
  return { bucket, key };
}

/** @returns whether the request's own values take the place of the source's. */
function directive(call: Call, header: string, what: string): boolean {
  const value = call.header(header);
  if (value === undefined || value === 'COPY') return false;
  if (value === 'REPLACE') return true;
  throw new S3Error('InvalidArgument', { message: `Unknown ${what} directive.` });
}

/** Without moving bytes where that can be: the ETag of an object in one piece stays, and a checksum of all of it too. */
async function copyContent(call: Call, original: ObjectRecord, content: OpenContent): Promise<{ stored: Stored; digests: Digests }> {
  const { contents } = call.storage.objects;
  await call.storage.space.require(original.size);
  const wanted = algorithmNamed(call.header('x-amz-checksum-algorithm') ?? '') ?? algorithmNamed(original.checksum?.algorithm ?? '');
  const isKept = wanted === undefined || (original.checksum?.type === 'FULL_OBJECT' && original.checksum.algorithm === wanted.name);
  if (isKept && !original.etag.includes('-')) {
    const stored = await contents.duplicate(original.content, original.size);
    if (stored) return { stored, digests: { md5: original.etag, checksum: original.checksum } };
  }
  return await copyBytes(content.read(0, original.size), wanted?.name, (source) => contents.store(source));
}

/** Stores what `source` yields. */
export async function copyBytes(
  source: AsyncIterable<Buffer>,
  algorithm: string | undefined,
  store: (source: AsyncIterable<Buffer>) => Promise<Stored>,
): Promise<{ stored: Stored; digests: Digests }> {
  let digests: Digests | undefined;
  const announced: Announced = { algorithm: algorithmNamed(algorithm ?? ''), inTrailer: false };
  const stored = await store(digesting(source, announced, new Map(), (computed) => (digests = computed)));
  return { stored, digests: digests! };
}
