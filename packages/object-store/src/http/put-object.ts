import { announcedChecksums, digesting, type Digests } from '../checksums/incoming.ts';
import { S3Error } from '../errors.ts';
import type { Stored } from '../storage/contents.ts';
import type { Call } from './call.ts';
import { writeCondition } from './conditions.ts';
import { checksumHeaders, metadataOf, refuseUnsupported, tagsOf } from './metadata.ts';

/** In bytes, as MinIO has it. */
const maxObjectBytes = 5 * 2 ** 40;

export async function putObject(call: Call): Promise<void> {
  const { storage, bucket, key } = call;
  call.require('s3:PutObject');
  const tags = tagsOf(call);
  if (tags) call.require('s3:PutObjectTagging');
  refuseUnsupported(call);
  const metadata = metadataOf(call);
  const condition = writeCondition(call);
  // Before the body is asked for; what counts is looked at again when it is there.
  condition(await storage.objects.find(bucket, key));
  const { stored, digests } = await receive(call, maxObjectBytes, (source) => storage.objects.contents.store(source));
  const checksum = digests.checksum && { ...digests.checksum, type: 'FULL_OBJECT' as const };
  const record = { etag: digests.md5, size: stored.size, modified: Date.now(), content: stored.content, ...metadata, checksum, tags };
  await storage.objects.put(bucket, key, stored, record, condition);
  call.answerEmpty(200, { etag: `"${digests.md5}"`, ...checksumHeaders(record) });
}

/** Takes a request's body in, verified and durable. */
export async function receive(
  call: Call,
  maxBytes: number,
  store: (source: AsyncIterable<Buffer>) => Promise<Stored>,
): Promise<{ stored: Stored; digests: Digests }> {
  const length = call.bodyLength();
  if (length > maxBytes) throw new S3Error('EntityTooLarge');
  await call.storage.space.require(length);
  const announced = announcedChecksums((name) => call.header(name));
  let digests: Digests | undefined;
  const stored = await store(digesting(call.body(), announced, call.trailers, (computed) => (digests = computed)));
  return { stored, digests: digests! };
}
