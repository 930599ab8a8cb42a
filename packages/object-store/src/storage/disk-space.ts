import { statfs } from 'node:fs/promises';
import { S3Error } from '../errors.ts';

/**
 * Objects may not take the last of a disk: LevelDB needs some to keep deletions and to open again, without which nothing could be read
 * either. Several times its write buffer, in bytes.
 */
const reserveBytes = 64 << 20;
/** How long what was seen is taken to hold. */
const freshMs = 250;

/** What is left on the disk that holds a folder. */
export class DiskSpace {
  readonly #folder: string;
  #free = 0;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param bytes that are going to be written. @throws S3Error `XMinioStorageFull` */
  async require(bytes: number): Promise<void> {
    if (performance.now() - this.#seenAt > freshMs) {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#free = bavail * bsize;
      this.#seenAt = performance.now();
    }
    if (this.#free - bytes < reserveBytes) throw new S3Error('XMinioStorageFull');
    // Others that come before the next look must not count on the same space.
    this.#free -= bytes;
  }
}
