import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { link, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isDiskFull, S3Error } from '../errors.ts';

/** Folders that files are spread over, by the last byte of their name. */
const folders = 256;
/** Enough to keep the disk busy, little enough for many uploads at once. */
const writeBytes = 512 << 10;
const readBytes = 256 << 10;
/** Bytes of one file after which the disk begins with them, so that little is left to wait for at the end. */
const syncBytes = 16 << 20;

/**
 * Contents of objects as files, named by ids that are never used twice. A file counts only once the index says so; what it does not
 * name after a crash is swept away.
 */
export class Blobs {
  readonly #folder: string;
  /** Sets the ids of this process apart from those of earlier ones. */
  readonly #epoch = `${Date.now().toString(36).padStart(9, '0')}${randomBytes(3).toString('hex')}`;
  #count = 0;
  readonly #readers = new Map<string, number>();
  /** To be removed once nobody reads them. */
  readonly #freed = new Set<string>();
  readonly #folderSyncs = new Map<string, { running: Promise<void>; next?: Promise<void> }>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (let number = 0; number < folders; number++) mkdirSync(join(folder, hex(number)), { recursive: true, mode: 0o700 });
    const handle = openSync(folder, 'r');
    fsyncSync(handle);
    closeSync(handle);
  }

  newId(): string {
    const count = this.#count++;
    return `${this.#epoch}${count.toString(36)}.${hex(count % folders)}`;
  }

  /** Writes a file and makes it durable. When that fails, nothing of it stays. @returns its size */
  async write(id: string, contents: AsyncIterable<Buffer>): Promise<number> {
    const file = await guarded(open(this.#path(id), 'wx', 0o600));
    try {
      const size = await writeAll(file, contents);
      await guarded(file.datasync());
      await file.close();
      await this.#syncFolder(id);
      return size;
    } catch (error) {
      await file.close().catch(() => {});
      await unlink(this.#path(id)).catch(() => {});
      throw error;
    }
  }

  /** A second name for the contents of `from`. @returns false where the file system has no such thing, or no more of it */
  async link(from: string, to: string): Promise<boolean> {
    try {
      await link(this.#path(from), this.#path(to));
    } catch (error) {
      if (['EMLINK', 'EPERM', 'ENOTSUP', 'ENOSYS'].includes(String((error as NodeJS.ErrnoException).code))) return false;
      throw diskError(error);
    }
    await this.#syncFolder(to);
    return true;
  }

  /**
   * Keeps files from being removed while they are read. @returns false when they are being removed already: the caller looks the object
   * up again.
   */
  pin(ids: readonly string[]): boolean {
    if (ids.some((id) => this.#freed.has(id))) return false;
    for (const id of ids) this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    return true;
  }

  unpin(ids: readonly string[]): void {
    for (const id of ids) {
      const left = this.#readers.get(id)! - 1;
      if (left > 0) this.#readers.set(id, left);
      else {
        this.#readers.delete(id);
        if (this.#freed.has(id)) this.#remove(id);
      }
    }
  }

  /** Removes files that the index names no more, when their last reader is done. */
  free(ids: readonly string[]): void {
    for (const id of ids) {
      this.#freed.add(id);
      if (!this.#readers.has(id)) this.#remove(id);
    }
  }

  async open(id: string): Promise<FileHandle> {
    return await open(this.#path(id), 'r');
  }

  /** Removes the files of earlier processes that `isNamed` does not know. @returns how many */
  async sweep(areNamed: (ids: string[]) => Promise<boolean[]>): Promise<number> {
    let removed = 0;
    for (let number = 0; number < folders; number++) {
      const ids = (await readdir(join(this.#folder, hex(number)))).filter((id) => !id.startsWith(this.#epoch));
      const named = ids.length === 0 ? [] : await areNamed(ids);
      for (const [at, id] of ids.entries()) {
        if (named[at]) continue;
        await unlink(join(this.#folder, hex(number), id)).catch(() => {});
        removed++;
      }
    }
    return removed;
  }

  #remove(id: string): void {
    void unlink(this.#path(id))
      .catch(() => {})
      .finally(() => this.#freed.delete(id));
  }

  #path(id: string): string {
    return join(this.#folder, id.slice(-2), id);
  }

  /** Makes the names in a folder durable: once for all that wait for it. */
  #syncFolder(id: string): Promise<void> {
    const folder = join(this.#folder, id.slice(-2));
    const state = this.#folderSyncs.get(folder);
    if (!state) {
      const running = syncFolder(folder).finally(() => {
        if (this.#folderSyncs.get(folder)?.running === running) this.#folderSyncs.delete(folder);
      });
      this.#folderSyncs.set(folder, { running });
      return running;
    }
    // The one that runs may have begun before our name was there.
    state.next ??= state.running
      .catch(() => {})
      .then(() => {
        this.#folderSyncs.delete(folder);
        return this.#syncFolder(id);
      });
    return state.next;
  }
}

/** Two buffers in turns: memory that is not new costs the system nothing. For who is done with a piece when the next but one is asked for. */
export type ReadBuffers = [Buffer, Buffer];

export function readBuffers(length: number): ReadBuffers {
  const size = Math.min(readBytes, length);
  return [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
}

/** The bytes of an open file from `start` on, `length` of them. */
export async function* readRange(file: FileHandle, start: number, length: number, buffers?: ReadBuffers): AsyncIterable<Buffer> {
  let position = start;
  let left = length;
  for (let turn = 0; left > 0; turn ^= 1) {
    const buffer = buffers ? buffers[turn]! : Buffer.allocUnsafeSlow(Math.min(readBytes, left));
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, left), position);
    if (bytesRead === 0) throw new Error('a file of the object store is shorter than it should be');
    position += bytesRead;
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Gathers small pieces, and takes the next in while the last is being written. */
async function writeAll(file: FileHandle, contents: AsyncIterable<Buffer>): Promise<number> {
  let size = 0;
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let writing: Promise<unknown> | undefined;
  let syncing: Promise<void> | undefined;
  let syncFailure: unknown;
  let syncedBytes = 0;
  const flush = async (): Promise<void> => {
    await guarded(writing);
    if (size - syncedBytes > syncBytes && !syncing) {
      syncedBytes = size;
      syncing = file
        .datasync()
        // The system tells of a failure once: the sync at the end would know nothing of it.
        .catch((error: unknown) => void (syncFailure ??= error))
        .finally(() => (syncing = undefined));
    }
    const pieces = gathered;
    gathered = [];
    gatheredBytes = 0;
    writing = pieces.length > 0 ? writeFully(file, pieces) : undefined;
    // Awaited by the next flush, which may never come when the source fails.
    writing?.catch(() => {});
  };
  try {
    for await (const piece of contents) {
      gathered.push(piece);
      gatheredBytes += piece.length;
      size += piece.length;
      if (gatheredBytes >= writeBytes) await flush();
    }
    await flush();
    await guarded(writing);
  } finally {
    await writing?.catch(() => {});
    await syncing;
  }
  if (syncFailure !== undefined) throw diskError(syncFailure);
  return size;
}

async function writeFully(file: FileHandle, pieces: Buffer[]): Promise<void> {
  const wanted = pieces.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev(pieces);
  if (bytesWritten === wanted) return;
  // A disk that is filling up takes a part; the rest says why.
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let at = 0; at < rest.length;) at += (await file.write(rest, at)).bytesWritten;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await guarded(open(folder, 'r'));
  await guarded(handle.sync()).finally(() => handle.close());
}

async function guarded<Result>(operation: Promise<Result> | undefined): Promise<Result> {
  try {
    return (await operation) as Result;
  } catch (error) {
    throw diskError(error);
  }
}

function diskError(error: unknown): unknown {
  return isDiskFull(error) && !(error instanceof S3Error) ? new S3Error('XMinioStorageFull', { cause: error }) : error;
}

const hex = (number: number): string => number.toString(16).padStart(2, '0');
