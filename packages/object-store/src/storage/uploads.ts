import { randomUUID } from 'node:crypto';
import { S3Error } from '../errors.ts';
import type { Blobs } from './blobs.ts';
import type { Buckets } from './buckets.ts';
import type { Stored } from './contents.ts';
import { UnsettledCommit, type Change, type IndexDatabase } from './index-database.ts';
import { NamedLocks } from './locks.ts';
import { decode, encode, keys, type PartRecord, type UploadRecord } from './records.ts';

export interface Upload {
  key: string;
  id: string;
  record: UploadRecord;
}

/** Uploads in parts that are not objects yet. */
export class Uploads {
  readonly #index: IndexDatabase;
  readonly #buckets: Buckets;
  readonly #blobs: Blobs;
  readonly #locks = new NamedLocks();

  constructor(index: IndexDatabase, buckets: Buckets, blobs: Blobs) {
    this.#index = index;
    this.#buckets = buckets;
    this.#blobs = blobs;
  }

  async create(bucket: string, key: string, record: UploadRecord): Promise<string> {
    const id = Buffer.from(`${randomUUID()}.${record.started}`).toString('base64url');
    await this.#buckets.within(bucket, () => this.#index.commit([{ key: keys.upload(bucket, key, id), value: encode(record) }]));
    return id;
  }

  /** @throws S3Error `NoSuchBucket`, `NoSuchUpload` */
  async get(bucket: string, key: string, id: string): Promise<UploadRecord> {
    this.#buckets.get(bucket);
    const value = /^[\w-]+$/.test(id) ? await this.#index.get(keys.upload(bucket, key, id)) : undefined;
    if (!value) throw new S3Error('NoSuchUpload');
    return decode<UploadRecord>(value);
  }

  /** In the order of their keys, then of their start. */
  async list(bucket: string, prefix: string): Promise<Upload[]> {
    this.#buckets.get(bucket);
    const uploads: Upload[] = [];
    for await (const [encoded, value] of this.#index.entries(keys.upload(bucket, prefix, '').slice(0, -1))) {
      const [, , key, id] = encoded.split('\0');
      uploads.push({ key: key!, id: id!, record: decode<UploadRecord>(value) });
    }
    return uploads;
  }

  async parts(id: string): Promise<PartRecord[]> {
    const parts: PartRecord[] = [];
    for await (const [, value] of this.#index.entries(keys.parts(id))) parts.push(decode<PartRecord>(value));
    return parts;
  }

  /** Adds a part, in place of the one with its number. @throws S3Error `NoSuchUpload` when the upload ended meanwhile */
  async addPart(bucket: string, key: string, id: string, stored: Stored, part: PartRecord): Promise<void> {
    try {
      await this.#locks.run(id, async () => {
        await this.get(bucket, key, id);
        const name = keys.part(id, part.number);
        const before = await this.#index.get(name);
        const old = before ? [decode<PartRecord>(before).blob] : [];
        await this.#index.commit([...old.map((blob) => ({ key: keys.blob(blob) })), ...stored.changes, { key: name, value: encode(part) }]);
        this.#blobs.free(old);
      });
    } catch (error) {
      if (!(error instanceof UnsettledCommit)) this.#blobs.free(stored.blobs);
      throw error;
    }
  }

  /**
   * Ends an upload with the parts that `chosen` picks.
   * @param finish makes the object; is given what forgets the upload, to be part of the same commit
   */
  async complete<Result>(
    bucket: string,
    key: string,
    id: string,
    choose: (record: UploadRecord, parts: PartRecord[]) => PartRecord[],
    finish: (record: UploadRecord, parts: PartRecord[], forget: Change[]) => Promise<Result>,
  ): Promise<Result> {
    return await this.#locks.run(id, async () => {
      const record = await this.get(bucket, key, id);
      const all = await this.parts(id);
      const chosen = choose(record, all);
      const used = new Set(chosen);
      const unused = all.filter((part) => !used.has(part)).map(({ blob }) => blob);
      const result = await finish(record, chosen, this.#forget(bucket, key, id, all, unused));
      this.#blobs.free(unused);
      return result;
    });
  }

  async abort(bucket: string, key: string, id: string): Promise<void> {
    await this.#locks.run(id, async () => {
      await this.get(bucket, key, id);
      const parts = await this.parts(id);
      const blobs = parts.map(({ blob }) => blob);
      await this.#index.commit(this.#forget(bucket, key, id, parts, blobs));
      this.#blobs.free(blobs);
    });
  }

  /** Forgets all uploads of a bucket that is being deleted. */
  async abortAll(bucket: string): Promise<void> {
    for (const { key, id } of await this.list(bucket, '')) await this.abort(bucket, key, id).catch(ifEnded);
  }

  /** Forgets uploads to which nothing has come since `since`. @returns how many */
  async abortStale(since: number): Promise<number> {
    let count = 0;
    for await (const [encoded, value] of this.#index.entries(keys.uploads)) {
      const [, bucket, key, id] = encoded.split('\0');
      if (decode<UploadRecord>(value).started >= since) continue;
      if ((await this.parts(id!)).some(({ modified }) => modified >= since)) continue;
      await this.abort(bucket!, key!, id!).catch(ifEnded);
      count++;
    }
    return count;
  }

  #forget(bucket: string, key: string, id: string, parts: readonly PartRecord[], blobs: readonly string[]): Change[] {
    return [
      { key: keys.upload(bucket, key, id) },
      ...parts.map(({ number }) => ({ key: keys.part(id, number) })),
      ...blobs.map((blob) => ({ key: keys.blob(blob) })),
    ];
  }
}

function ifEnded(error: unknown): void {
  if (!(error instanceof S3Error) || !['NoSuchUpload', 'NoSuchBucket'].includes(error.code)) throw error;
}
