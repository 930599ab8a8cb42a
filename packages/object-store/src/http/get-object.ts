import { S3Error } from '../errors.ts';
import type { ObjectRecord, Segment } from '../storage/records.ts';
import type { Call } from './call.ts';
import { isWanted } from './conditions.ts';
import { objectHeaders } from './metadata.ts';
import { requestedRange, type ByteRange } from './range.ts';
import { checkVersion } from './version.ts';

/** GET and HEAD. */
export async function getObject(call: Call): Promise<void> {
  const { storage, bucket, key, response } = call;
  call.require('s3:GetObject');
  checkVersion(call);
  await storage.objects.read(bucket, key, async (record, content) => {
    if (!record || !content) throw noSuchKey(call);
    const { range, parts } = selection(call, record, content.segments);
    if (!isWanted(call, record)) {
      answerNotModified(call, record);
      return;
    }
    const headers = objectHeaders(call, record, range === undefined);
    if (parts !== undefined && parts > 1) headers['x-amz-mp-parts-count'] = String(parts);
    const { start, length } = range ?? { start: 0, length: record.size };
    headers['content-length'] = String(length);
    if (range) headers['content-range'] = `bytes ${start}-${start + length - 1}/${record.size}`;
    response.writeHead(range ? 206 : 200, headers);
    if (call.request.method === 'HEAD') response.end();
    else await send(call, content.stream(start, length));
  });
}

function selection(call: Call, record: ObjectRecord, segments: readonly Segment[]): { range?: ByteRange; parts?: number } {
  const partNumber = call.query.get('partNumber');
  const header = call.header('range');
  if (partNumber === undefined) return { range: requestedRange(header, record.size) };
  if (header !== undefined)
    throw new S3Error('InvalidRequest', { message: 'Cannot specify both Range header and partNumber query parameter' });
  const number = Number(partNumber);
  if (!Number.isInteger(number) || number < 1) throw new S3Error('InvalidArgument', { message: 'The part number is not valid' });
  const count = Math.max(segments.length, 1);
  if (number > count) throw new S3Error('InvalidRange');
  const sizes = segments.length === 0 ? [record.size] : segments.map(({ size }) => size);
  const start = sizes.slice(0, number - 1).reduce((sum, size) => sum + size, 0);
  return { range: { start, length: sizes[number - 1]! }, parts: count };
}

function answerNotModified(call: Call, record: ObjectRecord): void {
  const all = objectHeaders(call, record, false);
  const kept = ['etag', 'last-modified', 'cache-control', 'expires'].filter((name) => all[name] !== undefined);
  call.response.writeHead(304, Object.fromEntries(kept.map((name) => [name, all[name]!]))).end();
}

/** Reads no faster than the client takes it: the next piece while the last is on its way, and no more. */
async function send({ request, response }: Call, source: AsyncIterable<Buffer>): Promise<void> {
  let unsent = 0;
  let proceed = (): void => {};
  // An answer whose turn on the connection had not come is told nothing when the client leaves; its request is.
  request.once('close', () => proceed());
  for await (const piece of source) {
    unsent++;
    response.write(piece, () => {
      unsent--;
      proceed();
    });
    if (unsent > 1 && !request.destroyed) await new Promise<void>((resolve) => (proceed = resolve));
    if (request.destroyed) return;
  }
  response.end();
}

export function noSuchKey(call: Call): S3Error {
  return new S3Error(call.query.get('versionId') ? 'NoSuchVersion' : 'NoSuchKey');
}
