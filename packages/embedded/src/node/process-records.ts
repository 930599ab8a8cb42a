import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bootId, groupHas, startTimeOf } from './process-table.ts';
import { killGroup, type SupervisedProcess } from './supervised-process.ts';

interface ProcessRecord {
  pid: number;
  /** When the process began, as the system tells it: with the pid it names one process of this boot. */
  startTime: string;
  /** Of the machine; records of former versions have none, nor a mark. */
  boot?: string;
  /** What its watcher is known by. */
  mark?: string;
}

/** Which processes run, on disk, so that the next start of the cluster finds what a killed one left behind. */
export interface ProcessRecords {
  add(key: string, process: Pick<SupervisedProcess, 'pid' | 'mark'>): void;
  remove(key: string): void;
  /** Waits until no recorded process of a former cluster is left; kills what outlives `graceMs`. */
  reap(graceMs: number): Promise<void>;
}

export function openProcessRecords(folder: string): ProcessRecords {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fileOf = (key: string): string => join(folder, `${key}.json`);
  return {
    add(key, { pid, mark }) {
      const record: ProcessRecord = { pid, startTime: startTimeOf(pid) ?? '', boot: bootId(), mark };
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
          // What it left of its group. Once all of it has ended, the number may be somebody else's: only its watcher proves that it is not.
          if (record?.mark && isOfThisBoot(record) && groupHas(record.pid, record.mark)) killGroup(record.pid, 'SIGKILL');
          rmSync(join(folder, name), { force: true });
        }),
      );
    },
  };
}

/** A process that nobody could find again must not run: the next one would be started beside it. @throws what kept it from being noted */
export function recordOrKill(records: ProcessRecords, key: string, child: SupervisedProcess): void {
  try {
    records.add(key, child);
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

function isOfThisBoot({ boot }: ProcessRecord): boolean {
  return boot === undefined || boot === bootId();
}

function isRunning(record: ProcessRecord): boolean {
  const { pid, startTime } = record;
  return startTime !== '' && isOfThisBoot(record) && startTimeOf(pid) === startTime;
}
