import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import type { ProcessSpec } from '@skipper/api';
import { exportsOf, type PrivateHosts } from './private-hosts.ts';

/**
 * Becomes the program, and leaves a watcher behind that asks it to stop when the cluster's end of descriptor 3 closes, however the
 * cluster ended. The watcher belongs to the program's process group, so the group's number cannot be given to anybody else before
 * the watcher has used it. A program that has ended stays a zombie (Z) until somebody collects it. The program's own PATH need not lead
 * to what the watcher runs. The third argument, which nobody uses, is the mark that the watcher is known by.
 */
const supervisor = `
sig=$1 grace=$2; shift 3
{
  trap '' TERM INT QUIT HUP
  PATH=/usr/bin:/bin:$PATH
  read -r _ <&3
  kill -s "$sig" "$$" 2>/dev/null
  n=0
  while kill -0 "$$" && [ "$n" -lt "$((grace * 10))" ]; do
    if [ -r "/proc/$$/stat" ]; then
      read -r stat <"/proc/$$/stat"
      case $stat in *") Z "*) break ;; esac
    fi
    sleep 0.1
    n=$((n + 1))
  done
  kill -s KILL -- "-$$"
} >/dev/null 2>&1 </dev/null &
exec 3<&-
exec "$@"`;

/** The environment comes by descriptor 4, for what comes before this must not obey it. */
const readEnvironment = 'eval "$(cat <&4)"; exec 4<&-';
const noEnvironment = { PATH: '/usr/bin:/bin' };

/** A file that a process sees in place of /etc/hosts. */
export interface HostsBinding {
  file: string;
  way: PrivateHosts;
}

export interface Exit {
  exitCode: number;
  signal: NodeJS.Signals | undefined;
}

export interface SupervisedProcess {
  readonly pid: number;
  /** Stands in the command line of the watcher, for as long as that lives. */
  readonly mark: string;
  /** Only when it was asked for. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** When the main process has ended; the rest of its group has been killed then. */
  readonly exited: Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL to the whole group. */
  kill(): void;
}

export interface SpawnOptions {
  /** User and group to run as; the cluster's own when undefined. */
  uid: number | undefined;
  gid: number | undefined;
  /** How long the program may take to stop when the cluster is gone. */
  graceSeconds: number;
  /** Whether standard input is a pipe; otherwise it is empty. */
  stdin?: boolean;
  /** What the process is to see in place of /etc/hosts; the machine's own when undefined. */
  hosts?: HostsBinding | undefined;
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/**
 * Starts a program in a process group of its own that does not outlive the cluster.
 * @throws the system's error when it cannot be started.
 */
export async function spawnSupervised(
  spec: ProcessSpec,
  { uid, gid, graceSeconds, stdin = false, hosts }: SpawnOptions,
): Promise<SupervisedProcess> {
  const stopSignal = (spec.stopSignal ?? 'SIGTERM').slice('SIG'.length);
  const env = spec.env ?? {};
  const exports = hosts?.way.beginsAsRoot ? exportsOf(env) : undefined;
  const script = exports === undefined ? supervisor : readEnvironment + supervisor;
  const mark = `kip-${randomUUID()}`;
  const argv = ['/bin/sh', '-c', script, 'sh', stopSignal, String(Math.ceil(graceSeconds)), mark, spec.file, ...spec.args];
  const [program = '', ...args] = hosts ? hosts.way.command(hosts.file, argv, { uid, gid }) : argv;
  const child = spawn(program, args, {
    detached: true,
    stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe', ...(exports === undefined ? [] : ['pipe' as const])],
    env: exports === undefined ? env : noEnvironment,
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    ...(uid === undefined || exports !== undefined ? {} : { uid, gid: gid ?? uid }),
  });
  await started(child);
  const environment = child.stdio[4] as Writable | undefined;
  // It may be killed before it has read it.
  environment?.on('error', () => undefined);
  environment?.end(exports);
  const pid = child.pid!;
  // Its other end closes when the program ends; that is no news.
  child.stdio[3]?.on('error', () => undefined);
  let hasEnded = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      killGroup(pid, 'SIGKILL');
      hasEnded = true;
      child.stdio[3]?.destroy();
      resolve({ exitCode: code ?? 128 + (signalNumbers[signal!] ?? 0), signal: signal ?? undefined });
    });
  });
  return {
    pid,
    mark,
    stdin: child.stdin,
    stdout: child.stdout!,
    stderr: child.stderr!,
    exited,
    signal: (signal) => void child.kill(signal),
    // Once it has ended, its number may be somebody else's.
    kill: () => void (hasEnded || killGroup(pid, 'SIGKILL')),
  };
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

/** @returns whether there was such a group. */
export function killGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
