import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Error } from '../errors.ts';
import { Blobs } from './blobs.ts';
import { Buckets } from './buckets.ts';
import { Contents } from './contents.ts';
import { DiskSpace } from './disk-space.ts';
import { IndexDatabase } from './index-database.ts';
import { listObjects, type ListOptions, type Listing } from './listing.ts';
import { Objects } from './objects.ts';
import { keys } from './records.ts';
import { Uploads } from './uploads.ts';

/** As MinIO has it. */
const staleAfterMs = 24 * 3_600_000;
const staleEveryMs = 6 * 3_600_000;

/** Buckets, objects and uploads in a folder. */
export class Storage {
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly uploads: Uploads;
  readonly space: DiskSpace;
  readonly #index: IndexDatabase;
  readonly #log: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void>;

  private constructor(folder: string, index: IndexDatabase, buckets: Buckets, blobs: Blobs, log: (message: string) => void) {
    this.#index = index;
    this.#log = log;
    this.space = new DiskSpace(folder);
    this.buckets = buckets;
    this.objects = new Objects(index, buckets, blobs, new Contents(index, blobs));
    this.uploads = new Uploads(index, buckets, blobs);
    // Beside serving: files of this process are never among those looked at.
    this.#sweeping = blobs
      .sweep(async (ids) => (await index.getMany(ids.map(keys.blob))).map((value) => value !== undefined))
      .then((removed) => void (removed > 0 && log(`removed ${removed} unfinished files`)))
      .catch((error: unknown) => log(`unfinished files could not be removed: ${(error as Error).message}`));
    this.#abortStale();
    this.#timer = setInterval(() => this.#abortStale(), staleEveryMs).unref();
  }

  /** What clients have begun and forgotten would take up space for ever. */
  #abortStale(): void {
    this.#sweeping = this.#sweeping
      .then(() => this.uploads.abortStale(Date.now() - staleAfterMs))
      .then((removed) => void (removed > 0 && this.#log(`removed ${removed} uploads that were never completed`)))
      .catch((error: unknown) => this.#log(`uploads that were never completed could not be removed: ${(error as Error).message}`));
  }

  /** @throws KipError `locked`, `damaged`, `disk-full`, `invalid` */
  static async open(folder: string, log: (message: string) => void): Promise<Storage> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const index = await IndexDatabase.open(join(folder, 'index'));
    try {
      return new Storage(folder, index, await Buckets.open(index), new Blobs(join(folder, 'blobs')), log);
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  /** @throws S3Error `NoSuchBucket` */
  async list(bucket: string, options: ListOptions): Promise<Listing> {
    this.buckets.get(bucket);
    return await listObjects(this.#index, bucket, options);
  }

  /** Unfinished uploads go with it, as with MinIO. @throws S3Error `NoSuchBucket`, `BucketNotEmpty` */
  async deleteBucket(bucket: string): Promise<void> {
    // Uploads end before the bucket is closed to changes: one that is being completed needs the bucket.
    for (let deleted = false; !deleted;) {
      await this.#requireEmpty(bucket);
      await this.uploads.abortAll(bucket);
      deleted = await this.buckets.delete(bucket, async () => {
        await this.#requireEmpty(bucket);
        return (await this.uploads.list(bucket, '')).length === 0;
      });
    }
  }

  async #requireEmpty(bucket: string): Promise<void> {
    const { objects } = await this.list(bucket, { prefix: '', delimiter: '', after: '', limit: 1 });
    if (objects.length > 0) throw new S3Error('BucketNotEmpty');
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await this.#index.close();
  }
}
