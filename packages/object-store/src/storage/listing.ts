import { endOf, type IndexDatabase } from './index-database.ts';
import { decode, keys, type ObjectRecord } from './records.ts';

export interface ListOptions {
  prefix: string;
  /** Keys that have it after the prefix are listed together, by what they have up to its end. Empty for none. */
  delimiter: string;
  /** Only what comes after this. */
  after: string;
  limit: number;
}

export interface ListedObject {
  key: string;
  record: ObjectRecord;
}

export interface Listing {
  objects: ListedObject[];
  /** In order. */
  commonPrefixes: string[];
  /** Set when there is more: the last key or common prefix of this page. */
  next?: string;
}

/** How much is read at once: more while it is of use, less while most of it is skipped. */
const batch = { first: 64, least: 4, most: 1000 };

/** A page of a bucket's objects, in the order of the bytes of their keys. */
export async function listObjects(index: IndexDatabase, bucket: string, options: ListOptions): Promise<Listing> {
  const { prefix, delimiter, after, limit } = options;
  const listing: Listing = { objects: [], commonPrefixes: [] };
  if (limit === 0) return listing;
  const base = Buffer.byteLength(keys.object(bucket, ''));
  // Zero is the lowest byte: right after the key itself.
  const from = isAfter(after, prefix) ? `${after}\0` : prefix;
  const iterator = await index.range(keys.object(bucket, from), endOf(keys.object(bucket, prefix)));
  let last = '';
  try {
    let skip = afterCommonPrefix(options);
    if (skip !== undefined) iterator.seek(endOf(keys.object(bucket, skip)));
    for (let size = Math.min(batch.first, limit + 1); ;) {
      const entries = await iterator.nextv(size);
      if (entries.length === 0) return listing;
      let skipped = 0;
      for (const [encoded, value] of entries) {
        const key = encoded.toString('utf8', base);
        if (skip !== undefined && key.startsWith(skip)) {
          skipped++;
          continue;
        }
        skip = undefined;
        if (listing.objects.length + listing.commonPrefixes.length === limit) return { ...listing, next: last };
        const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
        if (end < 0) {
          listing.objects.push({ key, record: decode<ObjectRecord>(value) });
          last = key;
        } else {
          last = skip = key.slice(0, end + delimiter.length);
          listing.commonPrefixes.push(skip);
        }
      }
      if (skip !== undefined) iterator.seek(endOf(keys.object(bucket, skip)));
      size = skipped > entries.length / 2 ? Math.max(batch.least, size >> 2) : Math.min(batch.most, size << 2);
    }
  } finally {
    await iterator.close();
  }
}

/** A page may begin after a common prefix; what that stands for was listed with it. */
function afterCommonPrefix({ prefix, delimiter, after }: ListOptions): string | undefined {
  if (delimiter === '' || !after.startsWith(prefix)) return undefined;
  const end = after.indexOf(delimiter, prefix.length);
  return end >= 0 && end + delimiter.length === after.length ? after : undefined;
}

/** By bytes of UTF-8, which order otherwise than JavaScript's units do above the basic plane. */
function isAfter(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0;
}
