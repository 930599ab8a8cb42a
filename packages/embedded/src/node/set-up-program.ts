import type { ProcessSpec } from '@skipper/api';
import type { ContainerHost, RunContext } from './container-host.ts';
import type { ContainerLog } from './container-log.ts';
import { ContainerOutput } from './container-output.ts';
import { recordOrKill } from './process-records.ts';
import { spawnSupervised } from './supervised-process.ts';

/** Runs what comes before a container's process to its end; it does not outlive the container's stop. @throws with stderr's end when it fails. */
export async function runSetUpProgram(
  spec: ProcessSpec,
  { uid, gid, containerName, signal }: Omit<RunContext, 'run'>,
  log: ContainerLog,
  { key, records }: ContainerHost,
): Promise<void> {
  signal.throwIfAborted();
  const child = await spawnSupervised(spec, { uid, gid, graceSeconds: 0 });
  const recordKey = `${key}_${containerName}_setup`;
  recordOrKill(records, recordKey, child);
  const abort = (): void => child.kill();
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  let tail = '';
  child.stderr.on('data', (chunk: Buffer | string) => (tail = (tail + chunk.toString()).slice(-2000)));
  const output = new ContainerOutput(child, log);
  try {
    const { exitCode } = await child.exited;
    await output.logged();
    if (exitCode !== 0) throw new Error(`${spec.file} ended with exit code ${exitCode}: ${tail.trim().split('\n').slice(-3).join(' ')}`);
  } finally {
    signal.removeEventListener('abort', abort);
    records.remove(recordKey);
  }
}
