import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KipError } from '@skipper/api';
import { ClassicLevel } from 'classic-level';

/** A change of one key: a value to keep, or undefined to forget it. */
export interface Change {
  key: string;
  value: string | undefined;
}

/** A write that did not reach the disk. Nothing of it was kept. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  /** There is no space left on the device (or the user's quota is used up). */
  readonly full: boolean;
  constructor(cause: unknown) {
    const detail = describe(cause);
    const full = /no space left|ENOSPC|quota exceeded|EDQUOT/i.test(detail);
    super(full ? 'the disk that holds the cluster is full' : `the cluster's disk does not accept writes: ${detail}`, { cause });
    this.full = full;
  }
}

/**
 * Keys and values on disk. A batch that `write` resolved for survives a crash of the process and of the machine.
 *
 * LevelDB must not be written to again after a failed write: the torn record at its log's end would hide what follows it. So
 * a failure closes it, and the next write opens it again, which heals once the disk has space.
 */
export class Database {
  readonly #folder: string;
  #level: ClassicLevel | undefined;

  private constructor(folder: string, level: ClassicLevel) {
    this.#folder = folder;
    this.#level = level;
  }

  /**
   * @throws KipError `locked` when another process has it open, `damaged` when what is on disk cannot be trusted, `disk-full`.
   */
  static async open(folder: string): Promise<Database> {
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch(throwExplained(folder));
    const level = await openLevel(folder);
    await writeFile(pidFile(folder), `${process.pid}\n`).catch(throwExplained(folder));
    return new Database(folder, level);
  }

  async *entries(): AsyncIterable<[key: string, value: string]> {
    try {
      yield* this.#open().iterator();
    } catch (error) {
      throw explained(this.#folder, error);
    }
  }

  /**
   * Writes all of `changes` or nothing.
   * @param proof one of the changes that no earlier write can have made; tells after a failure whether the batch is there anyway.
   * @throws StorageError
   */
  async write(changes: readonly Change[], proof: Required<Change>): Promise<void> {
    try {
      this.#level ??= await openLevel(this.#folder);
      await this.#level.batch(
        [...changes, proof].map(({ key, value }) => (value === undefined ? { type: 'del', key } : { type: 'put', key, value })),
        { sync: true },
      );
    } catch (error) {
      if (await this.#landed(proof)) return;
      throw new StorageError(error);
    }
  }

  /** After a failed write: opens the log again, which settles whether the batch is part of it. */
  async #landed(proof: Required<Change>): Promise<boolean> {
    try {
      await this.close();
      this.#level = await openLevel(this.#folder);
      return (await this.#level.get(proof.key)) === proof.value;
    } catch {
      await this.close();
      return false;
    }
  }

  async close(): Promise<void> {
    const level = this.#level;
    this.#level = undefined;
    await level?.close().catch(() => {});
  }

  #open(): ClassicLevel {
    if (!this.#level) throw new Error('the database is closed');
    return this.#level;
  }
}

function pidFile(folder: string): string {
  return join(folder, 'pid');
}

/** LevelDB's own files are below the folder, so that ours cannot be taken for its. */
async function openLevel(folder: string): Promise<ClassicLevel> {
  const location = join(folder, 'db');
  const marker = join(folder, 'format');
  // Without its CURRENT file LevelDB would start over with an empty database; once there was one, that is damage.
  const exists = existsSync(marker);
  const level = new ClassicLevel(location, { createIfMissing: !exists, maxOpenFiles: 100, writeBufferSize: 2 << 20, cacheSize: 1 << 20 });
  try {
    await level.open();
    if (!exists) await writeFile(marker, '1\n');
    return level;
  } catch (error) {
    await level.close().catch(() => {});
    if (isLocked(error)) throw await lockedBy(folder);
    throw explained(folder, error);
  }
}

function isLocked(error: unknown): boolean {
  return codes(error).includes('LEVEL_LOCKED');
}

async function lockedBy(folder: string): Promise<KipError> {
  const pid = (await readFile(pidFile(folder), 'utf8').catch(() => '')).trim();
  return new KipError('locked', `Another process${pid ? ` (pid ${pid})` : ''} uses the data folder ${folder}.`, {
    hint: 'Stop it first, or use another folder. The lock ends with that process; no file needs to be deleted.',
  });
}

function explained(folder: string, error: unknown): Error {
  if (error instanceof KipError) return error;
  const failure = new StorageError(error);
  if (failure.full)
    return new KipError('disk-full', `The disk that holds ${folder} is full.`, { hint: 'Free some space and try again.', cause: error });
  if (codes(error).some((code) => ['EACCES', 'EPERM', 'EROFS'].includes(code))) {
    return new KipError('invalid', `The data folder ${folder} cannot be written to.`, {
      hint: 'Give its owner write access, or use another folder.',
      cause: error,
    });
  }
  return damaged(folder, describe(error), error);
}

function throwExplained(folder: string): (error: unknown) => never {
  return (error) => {
    throw explained(folder, error);
  };
}

/** What to say when the data on disk cannot be trusted. */
export function damaged(folder: string, detail: string, cause?: unknown): KipError {
  return new KipError('damaged', `The cluster's data in ${folder} is damaged: ${detail}.`, {
    hint: `Restore the folder from a backup, or move it away to start with an empty cluster; the volumes of services are kept elsewhere and are not touched.`,
    cause,
  });
}

function codes(error: unknown): string[] {
  return causes(error).map((cause) => String((cause as { code?: unknown }).code ?? ''));
}

function describe(error: unknown): string {
  const deepest = causes(error).at(-1);
  return deepest instanceof Error ? deepest.message : String(error);
}

function causes(error: unknown): unknown[] {
  const all = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) all.push(cause);
  return all;
}
