import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killGroup, type SupervisedProcess } from './supervised-process.ts';

interface ProcessRecord {
  pid: number;
  /** When the process began, as the system tells it: with the pid it names one process for good. */
  startTime: string;
}

/** Which processes run, on disk, so that the next start of the cluster finds what a killed one left behind. */
export interface ProcessRecords {
  add(key: string, pid: number): void;
  remove(key: string): void;
  /** Waits until no recorded process of a former cluster is left; kills what outlives `graceMs`. */
  reap(graceMs: number): Promise<void>;
}

export function openProcessRecords(folder: string): ProcessRecords {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (key: string): string => join(folder, `${key}.json`);
  return {
    add(key, pid) {
      const record: ProcessRecord = { pid, startTime: startTimeOf(pid) ?? '' };
      writeFileSync(fileOf(key), JSON.stringify(record), { mode: 0o600 });
    },
    remove: (key) => rmSync(fileOf(key), { force: true }),
    async reap(graceMs) {
      const deadline = Date.now() + graceMs;
      await Promise.all(
        readdirSync(folder).map(async (name) => {
          const record = readRecord(join(folder, name));
          while (record && isRunning(record)) {
            if (Date.now() >= deadline) killGroup(record.pid, 'SIGKILL');
            await delay(50);
          }
          // Its watcher, or what it left of its group: the number is nobody else's while one of them lives.
          if (record && startTimeOf(record.pid) === undefined) killGroup(record.pid, 'SIGKILL');
          rmSync(join(folder, name), { force: true });
        }),
      );
    },
  };
}

/** A process that nobody could find again must not run: the next one would be started beside it. @throws what kept it from being noted */
export function recordOrKill(records: ProcessRecords, key: string, child: SupervisedProcess): void {
  try {
    records.add(key, child.pid);
  } catch (error) {
    child.kill();
    throw error;
  }
}

function readRecord(file: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord;
    return Number.isInteger(record.pid) && record.pid > 1 && typeof record.startTime === 'string' ? record : undefined;
  } catch {
    // Half written by a cluster that was killed: its process dies by its own watcher.
    return undefined;
  }
}

function isRunning({ pid, startTime }: ProcessRecord): boolean {
  return startTime !== '' && startTimeOf(pid) === startTime;
}

/** `undefined` when there is no such process, or only its remains. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux')
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
    // The name in parentheses may contain anything, so fields are counted from its end.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
