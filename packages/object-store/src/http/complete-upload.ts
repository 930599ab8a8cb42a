import { createHash } from 'node:crypto';
import { algorithmNamed, type Algorithm } from '../checksums/algorithms.ts';
import { S3Error } from '../errors.ts';
import type { Checksum, ObjectRecord, PartRecord, UploadRecord } from '../storage/records.ts';
import { childText, parseXml, type XmlElement } from '../xml.ts';
import type { Call } from './call.ts';
import { writeCondition } from './conditions.ts';
import { checksumElement, checksumHeaders } from './metadata.ts';

/** All parts but the last must have this many bytes. */
const minPartBytes = 5 << 20;
const maxParts = 10_000;

export async function completeUpload(call: Call): Promise<void> {
  call.require('s3:PutObject');
  const { storage, bucket, key } = call;
  const named = namedParts(await call.document());
  const id = call.query.get('uploadId')!;
  const condition = writeCondition(call);
  const record = await storage.uploads.complete(
    bucket,
    key,
    id,
    (upload, parts) => chooseParts(upload, parts, named),
    async (upload, parts, forget) => {
      const { changes, ...content } = storage.objects.contents.join(parts.map(({ blob, size }) => ({ id: blob, size })));
      const checksum = wholeChecksum(upload, parts);
      const claimed = checksum && call.header(`x-amz-checksum-${checksum.algorithm}`);
      if (checksum && claimed !== undefined && claimed.split('-')[0] !== checksum.value.split('-')[0])
        throw new S3Error('XAmzContentChecksumMismatch');
      const object: ObjectRecord = {
        headers: upload.headers,
        user: upload.user,
        tags: upload.tags,
        etag: `${createHash('md5')
          .update(Buffer.from(parts.map(({ etag }) => etag).join(''), 'hex'))
          .digest('hex')}-${parts.length}`,
        size: parts.reduce((sum, { size }) => sum + size, 0),
        modified: Date.now(),
        content,
        checksum,
      };
      // The parts' files belong to the upload until this is done.
      await storage.objects.put(bucket, key, { changes, blobs: [] }, object, condition, forget);
      return object;
    },
  );
  const document = {
    Location: `http://${call.header('host') ?? ''}/${bucket}/${key}`,
    Bucket: bucket,
    Key: key,
    ETag: `"${record.etag}"`,
    ...checksumElement(record.checksum?.algorithm, record.checksum?.value),
  };
  call.answerXml('CompleteMultipartUploadResult', document, { etag: `"${record.etag}"`, ...checksumHeaders(record) });
}

function namedParts(text: string): XmlElement[] {
  const root = parseXml(text);
  if (root.name !== 'CompleteMultipartUpload') throw new S3Error('MalformedXML');
  const parts = root.children.filter(({ name }) => name === 'Part');
  if (parts.length === 0) throw new S3Error('InvalidRequest', { message: 'You must specify at least one part' });
  if (parts.length > maxParts) throw new S3Error('MalformedXML');
  return parts;
}

/** The parts that a request names, if they are there as it names them. */
function chooseParts(upload: UploadRecord, uploaded: readonly PartRecord[], named: readonly XmlElement[]): PartRecord[] {
  const byNumber = new Map(uploaded.map((part) => [part.number, part]));
  const numbers = named.map((element) => Number(childText(element, 'PartNumber') ?? Number.NaN));
  if (numbers.some((number, at) => at > 0 && !(number > numbers[at - 1]!))) throw new S3Error('InvalidPartOrder');
  const element = upload.checksum && algorithmNamed(upload.checksum.algorithm)?.element;
  return named.map((wanted, at) => {
    const part = byNumber.get(numbers[at]!);
    const etag = childText(wanted, 'ETag')?.trim().replace(/^"|"$/g, '');
    if (!part || part.etag !== etag) throw new S3Error('InvalidPart');
    const checksum = element && childText(wanted, element);
    // For a checksum of the whole, the parts' need not be repeated.
    const isRight = checksum === part.checksum || (checksum === undefined && upload.checksum?.type !== 'COMPOSITE');
    if (!isRight) throw new S3Error('InvalidPart');
    if (at < named.length - 1 && part.size < minPartBytes) throw new S3Error('EntityTooSmall');
    return part;
  });
}

function wholeChecksum(upload: UploadRecord, parts: readonly PartRecord[]): Checksum | undefined {
  const algorithm = upload.checksum && algorithmNamed(upload.checksum.algorithm);
  if (!upload.checksum || !algorithm) return undefined;
  const { type } = upload.checksum;
  const values = parts.map(({ checksum }) => Buffer.from(checksum!, 'base64'));
  const value = type === 'COMPOSITE' ? ofChecksums(algorithm, values) : ofWhole(algorithm, values, parts);
  return { algorithm: algorithm.name, type, value };
}

function ofChecksums(algorithm: Algorithm, values: readonly Buffer[]): string {
  const running = algorithm.start();
  for (const value of values) running.update(value);
  return `${running.digest().toString('base64')}-${values.length}`;
}

function ofWhole(algorithm: Algorithm, values: readonly Buffer[], parts: readonly PartRecord[]): string {
  return values.reduce((sum, value, at) => (at === 0 ? value : algorithm.combine!(sum, value, parts[at]!.size))).toString('base64');
}
