import { S3Error } from '../errors.ts';
import type { IndexDatabase } from './index-database.ts';
import { SharedLock } from './locks.ts';
import { decode, encode, keys } from './records.ts';

export interface Bucket {
  name: string;
  /** ms since 1970. */
  created: number;
}

export class Buckets {
  readonly #index: IndexDatabase;
  readonly #buckets: Map<string, Bucket & { lock: SharedLock }>;

  private constructor(index: IndexDatabase, buckets: Map<string, Bucket & { lock: SharedLock }>) {
    this.#index = index;
    this.#buckets = buckets;
  }

  static async open(index: IndexDatabase): Promise<Buckets> {
    const buckets = new Map<string, Bucket & { lock: SharedLock }>();
    for await (const [, value] of index.entries(keys.bucket(''))) {
      const bucket = decode<Bucket>(value);
      buckets.set(bucket.name, { ...bucket, lock: new SharedLock() });
    }
    return new Buckets(index, buckets);
  }

  list(): Bucket[] {
    return [...this.#buckets.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws S3Error `NoSuchBucket` */
  get(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new S3Error('NoSuchBucket', { details: { BucketName: name } });
    return bucket;
  }

  readonly #creating = new Set<string>();

  /** @throws S3Error `BucketAlreadyOwnedByYou` */
  async create(name: string): Promise<void> {
    if (this.#buckets.has(name) || this.#creating.has(name)) throw new S3Error('BucketAlreadyOwnedByYou');
    this.#creating.add(name);
    try {
      const bucket = { name, created: Date.now() };
      await this.#index.commit([{ key: keys.bucket(name), value: encode(bucket) }]);
      this.#buckets.set(name, { ...bucket, lock: new SharedLock() });
    } finally {
      this.#creating.delete(name);
    }
  }

  /** Changes within a bucket, which is not deleted meanwhile. @throws S3Error `NoSuchBucket` */
  async within<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    this.get(name);
    return await this.#buckets.get(name)!.lock.share(async () => {
      this.get(name);
      return await action();
    });
  }

  /** @param ready asked while nothing changes in the bucket; false leaves it as it is. @returns whether it was deleted */
  async delete(name: string, ready: () => Promise<boolean>): Promise<boolean> {
    this.get(name);
    return await this.#buckets.get(name)!.lock.alone(async () => {
      this.get(name);
      if (!(await ready())) return false;
      await this.#index.commit([{ key: keys.bucket(name) }]);
      this.#buckets.delete(name);
      return true;
    });
  }
}
