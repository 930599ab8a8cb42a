import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KipError } from '@skipper/api';
import { embeddedFolder } from './home.ts';

/** What a running embedded cluster says of itself. */
export interface RunningCluster {
  pid: number;
  /** When the process began, as the system tells it: another one may have the pid by now. */
  startTime: string;
  /** Set once it serves. */
  server?: string;
}

const recordFile = (): string => join(embeddedFolder(), 'running.json');
export const logFile = (): string => join(embeddedFolder(), 'log');
const logLimit = 5 << 20;

/** The process of the embedded cluster, if it runs. */
export function findRunning(): RunningCluster | undefined {
  try {
    const running = JSON.parse(readFileSync(recordFile(), 'utf8')) as RunningCluster;
    return startTimeOf(running.pid) === running.startTime ? running : undefined;
  } catch {
    return undefined;
  }
}

export function recordRunning(server?: string): void {
  const record: RunningCluster = {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    ...(server === undefined ? {} : { server }),
  };
  writeFileSync(`${recordFile()}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${recordFile()}.new`, recordFile());
}

export function forgetRunning(): void {
  rmSync(recordFile(), { force: true });
}

/** `undefined` when there is no such process, or only its remains. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      // Shells with other settings must be told the same.
      const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
      const argv = ['-o', 'lstart=', '-p', String(pid)];
      return execFileSync('ps', argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
    }
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const startWithinMs = 60_000;

/**
 * Starts the embedded cluster in the background unless it runs, and waits until it serves.
 * @throws KipError with what the cluster said when it could not start.
 */
export async function ensureRunning(): Promise<RunningCluster & { started: boolean }> {
  mkdirSync(embeddedFolder(), { recursive: true, mode: 0o700 });
  const before = findRunning();
  if (before?.server) return { ...before, started: false };
  let failed: number | undefined;
  const from = existsSync(logFile()) ? rotatedSize() : 0;
  if (!before) {
    const log = openSync(logFile(), 'a', 0o600);
    const child = spawn(process.execPath, ['--max-semi-space-size=2', process.argv[1]!, 'run-cluster'], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    });
    closeSync(log);
    child.once('exit', (code) => (failed = code ?? 1));
    child.once('error', () => (failed = 1));
    child.unref();
  }
  const deadline = Date.now() + startWithinMs;
  while (Date.now() < deadline) {
    const running = findRunning();
    if (running?.server) return { ...running, started: !before };
    if (failed !== undefined) {
      // Another "kip up" may have been first.
      const other = findRunning();
      if (!other)
        throw new KipError('unsupported', `The embedded cluster could not start: ${lastLines(from)}`, { hint: `Its log is ${logFile()}.` });
      failed = undefined;
    }
    await delay(20);
  }
  throw new KipError('timeout', `The embedded cluster did not start within ${startWithinMs / 1000} s.`, {
    hint: `Its log is ${logFile()}.`,
  });
}

function rotatedSize(): number {
  const { size } = statSync(logFile());
  if (size < logLimit) return size;
  renameSync(logFile(), `${logFile()}.1`);
  return 0;
}

function lastLines(from: number): string {
  const text = existsSync(logFile()) ? readFileSync(logFile()).subarray(from).toString('utf8').trim() : '';
  return (
    text
      .split('\n')
      .slice(-3)
      .join(' ')
      .replace(/\d{4}-\S+Z /g, '')
      .replace(/^Error: /, '') || 'it said nothing'
  );
}

/** @returns false when nothing ran. @throws KipError `timeout` */
export async function stopRunning(): Promise<boolean> {
  const running = findRunning();
  if (!running) return false;
  process.kill(running.pid, 'SIGTERM');
  const deadline = Date.now() + 150_000;
  while (startTimeOf(running.pid) === running.startTime) {
    if (Date.now() > deadline)
      throw new KipError('timeout', `The embedded cluster (process ${running.pid}) does not stop.`, { hint: `Its log is ${logFile()}.` });
    await delay(20);
  }
  return true;
}
