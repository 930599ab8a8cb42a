import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KipError } from '@skipper/api';
import { embeddedFolder, inHome, kipHome, readInHome } from './home.ts';

/** What a running embedded cluster says of itself. */
export interface RunningCluster {
  pid: number;
  /** When the process began, as the system tells it: another one may have the pid by now. */
  startTime: string;
  /** Set once it serves. */
  server?: string;
  /** It serves no longer, and ends once its services have. */
  stopping?: boolean;
}

const recordFile = (): string => join(embeddedFolder(), 'running.json');
export const logFile = (): string => join(embeddedFolder(), 'log');
const logLimit = 5 << 20;

/** Of a process that found that another one has the data folder. */
export const lockedExitCode = 75;

/** The process of the embedded cluster, if it runs. @throws KipError `forbidden` where that is another user's affair */
export function findRunning(): RunningCluster | undefined {
  const text = readInHome(recordFile());
  if (text === undefined) return undefined;
  try {
    const running = JSON.parse(text) as RunningCluster;
    return startTimeOf(running.pid) === running.startTime ? running : undefined;
  } catch {
    return undefined;
  }
}

/** Notes down what runs. @param state.pid default this process */
export function recordRunning({ pid = process.pid, ...state }: Partial<Omit<RunningCluster, 'startTime'>> = {}): void {
  const record: RunningCluster = { pid, startTime: startTimeOf(pid) ?? '', ...state };
  // Of this process alone: another may note something down at the same time.
  const unfinished = `${recordFile()}.${process.pid}`;
  writeFileSync(unfinished, JSON.stringify(record), { mode: 0o600 });
  renameSync(unfinished, recordFile());
}

export function forgetRunning(): void {
  rmSync(recordFile(), { force: true });
}

/** `undefined` when there is no such process, or, on Linux, only its remains. As the embedded cluster has it, which is not loaded for this. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    // Shells with other settings must be told the same.
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    const argv = ['-o', 'lstart=', '-p', String(pid)];
    return execFileSync('ps', argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
  } catch {
    return undefined;
  }
}

const startWithinMs = 60_000;
const stopWithinMs = 150_000;

/**
 * Starts the embedded cluster in the background unless it runs, and waits until it serves.
 * @throws KipError with what the cluster said when it could not start.
 */
export async function ensureRunning(): Promise<RunningCluster & { started: boolean }> {
  inHome(() => mkdirSync(embeddedFolder(), { recursive: true, mode: 0o700 }));
  const found = findRunning();
  if (found?.stopping) await untilEnded(found);
  const before = findRunning();
  if (before?.server) return { ...before, started: false };
  const from = existsSync(logFile()) ? rotatedSize() : 0;
  const child = before ? undefined : startProcess();
  const hint = `Its log is ${logFile()}.`;
  const couldNot = (): KipError => new KipError('unsupported', `The embedded cluster could not start: ${lastLines(from)}`, { hint });
  const deadline = Date.now() + startWithinMs;
  while (Date.now() < deadline) {
    const running = findRunning();
    if (running?.server) return { ...running, started: !before };
    if (child?.exitCode === 0 || child?.signalCode) throw new KipError('conflict', 'The embedded cluster was stopped while it started.');
    // Where the folder is locked, another "kip up" has been first, and is waited for.
    if (child?.exitCode != null && child.exitCode !== lockedExitCode) throw couldNot();
    await delay(20);
  }
  if (child?.exitCode === lockedExitCode) throw couldNot();
  throw new KipError('timeout', `The embedded cluster did not start within ${startWithinMs / 1000} s.`, { hint });
}

function startProcess(): ChildProcess {
  const log = inHome(() => openSync(logFile(), 'a', 0o600));
  const child = spawn(process.execPath, ['--max-semi-space-size=2', process.argv[1]!, 'run-cluster'], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    // A path that is relative to where this was typed would lead elsewhere from there.
    env: { ...process.env, KIP_HOME: kipHome() },
  });
  closeSync(log);
  child.unref();
  // Its exit code tells as well of one that could not be started.
  child.on('error', () => undefined);
  // Whoever comes meanwhile finds it, to wait for it or to stop it; one that has been faster stays noted.
  if (child.pid !== undefined && !findRunning()) recordRunning({ pid: child.pid });
  return child;
}

function rotatedSize(): number {
  const { size } = statSync(logFile());
  if (size < logLimit) return size;
  renameSync(logFile(), `${logFile()}.1`);
  return 0;
}

/** Continues the log of this process anew where it has grown too large. @param descriptor another file than the log is left alone */
export function limitLog(descriptor: number = process.stderr.fd): void {
  try {
    const { size, dev, ino } = fstatSync(descriptor);
    if (size < logLimit) return;
    const file = statSync(logFile());
    if (file.dev !== dev || file.ino !== ino) return;
    // The process keeps the file open for appending: under another name it would go on in there.
    copyFileSync(logFile(), `${logFile()}.1`);
    truncateSync(logFile());
  } catch {
    // A log that cannot be continued anew, on a full disk for example, is no reason to stop.
  }
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
  try {
    process.kill(running.pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM')
      throw new KipError('forbidden', `The embedded cluster (process ${running.pid}) runs as another user.`, {
        hint: 'Stop it as that user, for example with "sudo kip down".',
        cause: error,
      });
    // It has ended since.
    if (code !== 'ESRCH') throw error;
  }
  await untilEnded(running);
  return true;
}

async function untilEnded({ pid, startTime }: RunningCluster): Promise<void> {
  const deadline = Date.now() + stopWithinMs;
  while (startTimeOf(pid) === startTime) {
    if (Date.now() > deadline)
      throw new KipError('timeout', `The embedded cluster (process ${pid}) does not stop.`, { hint: `Its log is ${logFile()}.` });
    await delay(20);
  }
}
