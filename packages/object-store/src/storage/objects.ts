import { S3Error } from '../errors.ts';
import type { Blobs } from './blobs.ts';
import type { Buckets } from './buckets.ts';
import type { Contents, OpenContent, Stored } from './contents.ts';
import { UnsettledCommit, type Change, type IndexDatabase } from './index-database.ts';
import { NamedLocks } from './locks.ts';
import { decode, encode, keys, type ObjectRecord } from './records.ts';

/** Called with what is there before anything changes; throws to prevent it. */
export type Precondition = (existing: ObjectRecord | undefined) => void;

/** Objects by bucket and key. What changes one key happens in some order, one after the other; reads see what was last answered for. */
export class Objects {
  readonly #index: IndexDatabase;
  readonly #buckets: Buckets;
  readonly #blobs: Blobs;
  readonly contents: Contents;
  readonly #locks = new NamedLocks();

  constructor(index: IndexDatabase, buckets: Buckets, blobs: Blobs, contents: Contents) {
    this.#index = index;
    this.#buckets = buckets;
    this.#blobs = blobs;
    this.contents = contents;
  }

  /** @throws S3Error `NoSuchBucket` */
  async find(bucket: string, key: string): Promise<ObjectRecord | undefined> {
    this.#buckets.get(bucket);
    const value = await this.#index.get(keys.object(bucket, key));
    return value && decode<ObjectRecord>(value);
  }

  /** Runs `read` with an object and its bytes, which stay as they are until it is done. @throws S3Error `SlowDownRead` */
  async read<Result>(
    bucket: string,
    key: string,
    read: (record: ObjectRecord | undefined, content: OpenContent | undefined) => Promise<Result>,
  ): Promise<Result> {
    let missing: string | undefined;
    for (;;) {
      const record = await this.find(bucket, key);
      if (!record) return await read(undefined, undefined);
      const content = await this.contents.open(record.content, record.size);
      if (!content) {
        // Replaced between the two looks: look again. What is still the same was not replaced but lost.
        if (record.content.id === missing)
          throw new S3Error('SlowDownRead', { cause: new Error(`the bytes of ${JSON.stringify(`${bucket}/${key}`)} are missing`) });
        missing = record.content.id;
        continue;
      }
      try {
        return await read(record, content);
      } finally {
        await content.close();
      }
    }
  }

  /**
   * Makes stored bytes an object, in place of the one that is there.
   * @param more changes that belong to it, for example an upload that ends with it
   */
  async put(
    bucket: string,
    key: string,
    stored: Pick<Stored, 'changes' | 'blobs'>,
    record: ObjectRecord,
    precondition: Precondition = () => {},
    more: readonly Change[] = [],
  ): Promise<void> {
    try {
      await this.#change(bucket, key, async (existing) => {
        precondition(existing);
        return { changes: [...stored.changes, ...more, { key: keys.object(bucket, key), value: encode(record) }], replaced: existing };
      });
    } catch (error) {
      if (!(error instanceof UnsettledCommit)) this.#blobs.free(stored.blobs);
      throw error;
    }
  }

  /** Changes what is known of an object, not its bytes. */
  async update(bucket: string, key: string, update: (existing: ObjectRecord | undefined) => ObjectRecord): Promise<ObjectRecord> {
    return await this.#change(bucket, key, async (existing) => {
      const record = update(existing);
      return { changes: [{ key: keys.object(bucket, key), value: encode(record) }], result: record };
    });
  }

  /** Does nothing when there is no such object. */
  async delete(bucket: string, key: string, precondition: Precondition = () => {}): Promise<void> {
    await this.#change(bucket, key, async (existing) => {
      precondition(existing);
      return { changes: existing ? [{ key: keys.object(bucket, key) }] : [], replaced: existing };
    });
  }

  async #change<Result = void>(
    bucket: string,
    key: string,
    plan: (existing: ObjectRecord | undefined) => Promise<{ changes: Change[]; replaced?: ObjectRecord; result?: Result }>,
  ): Promise<Result> {
    return await this.#buckets.within(bucket, () =>
      this.#locks.run(keys.object(bucket, key), async () => {
        const { changes, replaced, result } = await plan(await this.find(bucket, key));
        const old = replaced ? await this.contents.forget(replaced.content) : { changes: [], blobs: [] };
        if (changes.length > 0) await this.#index.commit([...old.changes, ...changes]);
        this.#blobs.free(old.blobs);
        return result as Result;
      }),
    );
  }
}
