import { finished } from 'node:stream/promises';
import type { ImageProcess } from '@skipper/api';
import type { PodExecOptions } from '../contracts.ts';
import type { RunContext } from './container-host.ts';
import { spawnSupervised } from './supervised-process.ts';

export interface CommandStreams extends Pick<PodExecOptions, 'stdin' | 'stdout' | 'stderr'> {
  /** Sees what no stream is there for. */
  collect?(chunk: string): void;
  signal: AbortSignal;
}

/** As shells say it of a command that is not there. */
const notFound = 127;

/** Runs a command beside a container's process. @returns its exit code, once everything it wrote has been passed on. */
export async function runCommand(
  image: ImageProcess,
  context: RunContext,
  argv: string[],
  { stdin, stdout, stderr, collect, signal }: CommandStreams,
): Promise<number> {
  const command = await image.exec?.(argv, context);
  const emit = (chunk: string | undefined, stream: PodExecOptions['stdout']): void => {
    if (!chunk) return;
    collect?.(chunk);
    stream?.write(chunk);
  };
  if (!command) {
    emit(`exec: "${argv[0] ?? ''}": executable file not found in $PATH\n`, stderr);
    return notFound;
  }
  if (typeof command === 'function') {
    const result = await command(signal);
    emit(result.stdout, stdout);
    emit(result.stderr, stderr);
    return result.exitCode;
  }
  const { uid, gid, hosts } = context;
  const child = await spawnSupervised(command, { uid, gid, hosts, graceSeconds: 0, stdin: stdin !== undefined });
  const abort = (): void => {
    child.kill();
    // Nobody reads any more, and what is not read would never end.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  if (child.stdin) {
    // The command may end without reading everything.
    child.stdin.on('error', () => undefined);
    stdin!.pipe(child.stdin);
  }
  for (const [from, to] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    if (to) from.pipe(to, { end: false });
    else from.setEncoding('utf8').on('data', (chunk: string) => collect?.(chunk));
  }
  const [{ exitCode }] = await Promise.all([
    child.exited,
    ...[child.stdout, child.stderr].map((stream) => finished(stream).catch(() => undefined)),
  ]);
  signal.removeEventListener('abort', abort);
  return exitCode;
}
