import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KipError } from '@skipper/api';
import { ClassicLevel } from 'classic-level';
import { isDiskFull, S3Error } from '../errors.ts';

/** A change of one key. Without a value it is forgotten. */
export interface Change {
  key: string;
  value?: Buffer;
}

/**
 * A commit failed and nobody can tell yet whether it is part of the log all the same. The files that it names must stay; those that turn out
 * to be nobody's are swept away at the next start.
 */
export class UnsettledCommit extends S3Error {}

interface Pending {
  changes: readonly Change[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

type Level = ClassicLevel<string, Buffer>;
export type RangeIterator = ReturnType<typeof rangeIterator>;

/**
 * Ordered keys and values on disk. Whatever `commit` resolved for survives a crash of the process and of the machine. Commits that come
 * while one is being written are written together by the next, with one flush of the disk for all of them.
 *
 * LevelDB must not be written to again after a failed write: the torn record at its log's end would hide what follows it. So a
 * failure closes it, and the next write opens it again, which heals once the disk has space.
 */
export class IndexDatabase {
  readonly #folder: string;
  #level: Level;
  #healthy = true;
  #reopening: Promise<void> | undefined;
  #queue: Pending[] = [];
  #writing: Promise<void> | undefined;

  private constructor(folder: string, level: Level) {
    this.#folder = folder;
    this.#level = level;
  }

  /** @throws KipError `locked` when another process has it open, `damaged` when it cannot be trusted, `disk-full`, `invalid` */
  static async open(folder: string): Promise<IndexDatabase> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const level = await openLevel(folder);
      await writeFile(join(folder, 'pid'), `${process.pid}\n`);
      return new IndexDatabase(folder, level);
    } catch (error) {
      throw await explained(folder, error);
    }
  }

  async get(key: string): Promise<Buffer | undefined> {
    return await (await this.#open()).get(key);
  }

  async getMany(keys: string[]): Promise<(Buffer | undefined)[]> {
    return await (await this.#open()).getMany(keys);
  }

  /** From `from` on, `to` excluded, in the order of their bytes. The caller closes it. */
  async range(from: string | Buffer, to: string | Buffer): Promise<RangeIterator> {
    return rangeIterator(await this.#open(), Buffer.from(from), Buffer.from(to));
  }

  /** All keys and values that begin with `prefix`. */
  async *entries(prefix: string): AsyncIterable<[key: string, value: Buffer]> {
    const iterator = await this.range(prefix, endOf(prefix));
    try {
      for (;;) {
        const batch = await iterator.nextv(1000);
        if (batch.length === 0) return;
        for (const [key, value] of batch) yield [key.toString(), value];
      }
    } finally {
      await iterator.close();
    }
  }

  /** All of `changes` or nothing, durably. @throws S3Error `XMinioStorageFull`, {@link UnsettledCommit} */
  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ changes, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#level.close();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      let isBegun = false;
      try {
        const level = await this.#open();
        isBegun = true;
        await level.batch(
          batch.flatMap(({ changes }) =>
            changes.map(({ key, value }) => (value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value })),
          ),
          { sync: true },
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#healthy = false;
        if (isBegun) await this.#settle(batch, error);
        else for (const { reject } of batch) reject(asFailure(error));
      }
    }
    // At once: a commit that came between would wait for the next.
    this.#writing = undefined;
  }

  /** After a failed write: opens the log again, which settles what is part of it. */
  async #settle(batch: readonly Pending[], error: unknown): Promise<void> {
    await this.#reopen().catch(() => undefined);
    for (const { changes, resolve, reject } of batch) {
      const landed = this.#healthy ? await this.#landed(changes).catch(() => undefined) : undefined;
      if (landed) resolve();
      else if (landed === false) reject(asFailure(error));
      else reject(new UnsettledCommit(isDiskFull(error) ? 'XMinioStorageFull' : 'InternalError', { cause: error }));
    }
  }

  /** After a failure it may be that it can be opened only later, when the disk has space. */
  async #open(): Promise<Level> {
    if (!this.#healthy) await this.#reopen();
    return this.#level;
  }

  async #reopen(): Promise<void> {
    this.#reopening ??= (async () => {
      await this.#level.close().catch(() => {});
      this.#level = await openLevel(this.#folder);
      this.#healthy = true;
    })().finally(() => (this.#reopening = undefined));
    await this.#reopening;
  }

  async #landed(changes: readonly Change[]): Promise<boolean> {
    const found = await this.getMany(changes.map(({ key }) => key));
    return changes.every(({ value }, at) => (value === undefined ? found[at] === undefined : found[at]?.equals(value) === true));
  }
}

function asFailure(error: unknown): unknown {
  return isDiskFull(error) ? new S3Error('XMinioStorageFull', { cause: error }) : error;
}

function rangeIterator(level: Level, gte: Buffer, lt: Buffer) {
  return level.iterator<Buffer, Buffer>({ gte, lt, keyEncoding: 'buffer', valueEncoding: 'buffer', highWaterMarkBytes: 1 << 20 });
}

/** After every key that begins with `prefix`: no byte of UTF-8 is this high. */
export function endOf(prefix: string): Buffer {
  return Buffer.concat([Buffer.from(prefix), Buffer.from([0xff])]);
}

/** LevelDB's own files are below the folder, so that ours cannot be taken for its. */
async function openLevel(folder: string): Promise<Level> {
  const marker = join(folder, 'format');
  // Without its CURRENT file LevelDB would start over with an empty database; once there was one, that is damage.
  const exists = existsSync(marker);
  const level = new ClassicLevel<string, Buffer>(join(folder, 'db'), {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    createIfMissing: !exists,
    maxOpenFiles: 100,
    writeBufferSize: 8 << 20,
    cacheSize: 8 << 20,
  });
  try {
    await level.open();
    if (!exists) await writeFile(marker, '1\n');
    return level;
  } catch (error) {
    await level.close().catch(() => {});
    throw error;
  }
}

async function explained(folder: string, error: unknown): Promise<KipError> {
  const causes = [];
  for (let at = error; at instanceof Error; at = at.cause) causes.push(at);
  const codes = causes.map((cause) => String((cause as NodeJS.ErrnoException).code ?? ''));
  if (codes.includes('LEVEL_LOCKED')) {
    const pid = (await readFile(join(folder, 'pid'), 'utf8').catch(() => '')).trim();
    return new KipError('locked', `Another process${pid ? ` (pid ${pid})` : ''} uses the data folder ${folder}.`, {
      hint: 'Stop it first, or use another folder. The lock ends with that process; no file needs to be deleted.',
    });
  }
  if (isDiskFull(error))
    return new KipError('disk-full', `The disk that holds ${folder} is full.`, { hint: 'Free some space and try again.', cause: error });
  if (codes.some((code) => ['EACCES', 'EPERM', 'EROFS'].includes(code)))
    return new KipError('invalid', `The data folder ${folder} cannot be written to.`, {
      hint: 'Give its owner write access, or use another folder.',
      cause: error,
    });
  return new KipError('damaged', `The object store's index in ${folder} is damaged: ${causes.at(-1)?.message ?? String(error)}.`, {
    hint: 'Restore the data folder from a backup, or move it away to start with an empty store.',
    cause: error,
  });
}
