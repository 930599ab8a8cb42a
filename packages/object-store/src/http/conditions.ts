import { S3Error } from '../errors.ts';
import type { ObjectRecord } from '../storage/records.ts';
import type { Call } from './call.ts';

/** `prefix` sets those of a copy's source apart: `x-amz-copy-source-`. */
interface Conditions {
  match: string | undefined;
  noneMatch: string | undefined;
  modifiedSince: number;
  unmodifiedSince: number;
}

function conditionsOf(call: Call, prefix = ''): Conditions {
  return {
    match: call.header(`${prefix}if-match`),
    noneMatch: call.header(`${prefix}if-none-match`),
    modifiedSince: Date.parse(call.header(`${prefix}if-modified-since`) ?? ''),
    unmodifiedSince: Date.parse(call.header(`${prefix}if-unmodified-since`) ?? ''),
  };
}

const names = (tags: string, etag: string): boolean =>
  tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^(W\/)?"?|"$/g, '') === etag);

/** HTTP dates have whole seconds. */
const isAfter = (modified: number, date: number): boolean => Math.floor(modified / 1000) * 1000 > date;

type Outcome = 'go' | 'not modified' | 'failed';

function judge({ match, noneMatch, modifiedSince, unmodifiedSince }: Conditions, { etag, modified }: ObjectRecord): Outcome {
  if (match !== undefined ? !names(match, etag) : isAfter(modified, unmodifiedSince)) return 'failed';
  if (noneMatch !== undefined) return names(noneMatch, etag) ? 'not modified' : 'go';
  return !Number.isNaN(modifiedSince) && !isAfter(modified, modifiedSince) ? 'not modified' : 'go';
}

/** @returns false when the client has the object already. @throws S3Error `PreconditionFailed` */
export function isWanted(call: Call, record: ObjectRecord): boolean {
  const outcome = judge(conditionsOf(call), record);
  if (outcome === 'failed') throw preconditionFailed(record);
  return outcome === 'go';
}

/** @throws S3Error `PreconditionFailed` */
export function checkCopySource(call: Call, record: ObjectRecord): void {
  if (judge(conditionsOf(call, 'x-amz-copy-source-'), record) !== 'go') throw preconditionFailed(record);
}

/** To be asked before an object is replaced. */
export function writeCondition(call: Call): (existing: ObjectRecord | undefined) => void {
  const { match, noneMatch } = conditionsOf(call);
  return (existing) => {
    if (match !== undefined) {
      if (!existing) throw new S3Error('NoSuchKey');
      if (!names(match, existing.etag)) throw preconditionFailed(existing);
    }
    if (noneMatch !== undefined && existing && names(noneMatch, existing.etag)) throw preconditionFailed(existing);
  };
}

function preconditionFailed({ etag, modified }: ObjectRecord): S3Error {
  return new S3Error('PreconditionFailed', { headers: { etag: `"${etag}"`, 'last-modified': new Date(modified).toUTCString() } });
}
