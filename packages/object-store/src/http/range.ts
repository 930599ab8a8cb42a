import { S3Error } from '../errors.ts';

export interface ByteRange {
  start: number;
  length: number;
}

/**
 * The part of an object that a Range header asks for; undefined for all of it. What is not one range of bytes is passed over, as HTTP
 * allows and MinIO does.
 * @throws S3Error `InvalidRange`
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [, first, last] = match;
  if (first === '') {
    const length = Math.min(Number(last), size);
    if (Number(last) === 0 || size === 0) throw new S3Error('InvalidRange');
    return { start: size - length, length };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) throw new S3Error('InvalidRange');
  if (start >= size) {
    const asked = `${start}-${last === '' ? -1 : last}`;
    throw new S3Error('InvalidRange', {
      message: `The requested range 'bytes=${asked}' is not satisfiable`,
      details: { ActualObjectSize: String(size), RangeRequested: asked },
    });
  }
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return { start, length: end - start + 1 };
}

/** The part of a copy's source, which has to be there: `bytes=0-9`. @throws S3Error `InvalidArgument` */
export function copyRange(header: string | undefined, size: number): ByteRange {
  if (header === undefined) return { start: 0, length: size };
  if (!header.startsWith('bytes=')) throw new S3Error('InvalidArgument', { message: `'${header}' does not start with 'bytes='` });
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || end < start || end >= size)
    throw new S3Error('InvalidArgument', { message: 'Range specified is not valid for source object' });
  return { start, length: end - start + 1 };
}
