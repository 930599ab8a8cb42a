import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Somebody who waits for a program. */
export interface Waiting {
  signal: AbortSignal;
  /** @param fraction 0 to 1 when known. */
  progress(message: string, fraction?: number): void;
}

export interface Work extends Waiting {
  /** Empty, and the folder's name later on. */
  unpacked: string;
  /** For what is needed meanwhile; goes away at the end. */
  temporary: string;
}

interface Job {
  waiting: Set<Waiting>;
  stop: AbortController;
  done: Promise<void>;
}

const jobs = new Map<string, Job>();
/** What nobody wrote to for so long was left by a process that was killed. */
const abandonedAfterMs = 3_600_000;

/**
 * Fills a folder that appears whole or not at all. All who wait for one folder in this process share the work and hear of its
 * progress; it is called off when the last of them has gone. Of several processes the first to finish wins.
 */
export async function makeWholeFolder(folder: string, waiting: Waiting, fill: (work: Work) => Promise<void>): Promise<void> {
  waiting.signal.throwIfAborted();
  const job = jobs.get(folder) ?? begin(folder, fill);
  job.waiting.add(waiting);
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => {
    leave = () => {
      job.waiting.delete(waiting);
      if (job.waiting.size > 0) return resolve();
      // Who comes from now on begins anew.
      if (jobs.get(folder) === job) jobs.delete(folder);
      job.stop.abort(waiting.signal.reason);
    };
  });
  waiting.signal.addEventListener('abort', leave);
  try {
    await Promise.race([job.done, left]);
    waiting.signal.throwIfAborted();
  } finally {
    waiting.signal.removeEventListener('abort', leave);
  }
}

function begin(folder: string, fill: (work: Work) => Promise<void>): Job {
  const stop = new AbortController();
  const waiting = new Set<Waiting>();
  const progress: Waiting['progress'] = (message, fraction) => {
    for (const each of waiting) each.progress(message, fraction);
  };
  const job: Job = { waiting, stop, done: make(folder, { signal: stop.signal, progress }, fill) };
  jobs.set(folder, job);
  const forget = (): void => {
    if (jobs.get(folder) === job) jobs.delete(folder);
  };
  job.done.then(forget, forget);
  return job;
}

async function make(folder: string, waiting: Waiting, fill: (work: Work) => Promise<void>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
  await removeAbandoned(folder);
  const temporary = await mkdtemp(temporaryPrefix(folder));
  try {
    const unpacked = join(temporary, basename(folder));
    await mkdir(unpacked);
    await fill({ ...waiting, unpacked, temporary });
    waiting.signal.throwIfAborted();
    // Pods run as users of their own.
    await chmod(unpacked, 0o755);
    await moveIntoPlace(unpacked, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const temporaryPrefix = (folder: string): string => `${folder}.new-`;

/** `rename` onto a folder with contents fails, which is how a process learns that another one was first. */
async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(await stat(to).catch(() => undefined))) throw error;
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  const prefix = basename(temporaryPrefix(folder));
  for (const name of await readdir(dirname(folder))) {
    if (!name.startsWith(prefix)) continue;
    const path = join(dirname(folder), name);
    if (Date.now() - (await lastWritten(path)) > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}

/** Of a temporary folder and what is directly in it, in ms since the epoch. */
async function lastWritten(path: string): Promise<number> {
  const inside = await readdir(path).catch(() => []);
  const times = await Promise.all(
    [path, ...inside.map((name) => join(path, name))].map((each) =>
      stat(each).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Math.max(...times);
}
