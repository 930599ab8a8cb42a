import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Measurement } from './measurement.ts';
import { kipBundle, residentMemory, servingProcess } from './programs.ts';
import { median } from './sampling.ts';

const rounds = 5;
/** By then what was only needed for starting has been given back. */
const settledAfterMs = 5_000;

/** A folder for the state of `kip up` whose pods, which may be another user's, can be reached. */
export async function makeHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'kip-bench-'));
  await chmod(home, 0o711);
  return home;
}

/** From the start of the process, in an empty folder, until it serves; and what it then holds in memory, operator included. */
export async function benchEmbedded(): Promise<Measurement[]> {
  const starts: number[] = [];
  let memory = 0;
  for (let round = 0; round < rounds; round++) {
    const home = await makeHome();
    // As `kip up` starts it, in the foreground.
    await mkdir(join(home, 'embedded'), { mode: 0o700 });
    const started = performance.now();
    const cluster = spawn(process.execPath, ['--max-semi-space-size=2', kipBundle, 'run-cluster'], {
      env: { ...process.env, KIP_HOME: home },
      stdio: 'ignore',
    });
    while (servingProcess(home) === undefined) {
      if (cluster.exitCode !== null) throw new Error(`the embedded cluster ended with ${cluster.exitCode}`);
      await delay(5);
    }
    starts.push(performance.now() - started);
    if (round === rounds - 1) {
      await delay(settledAfterMs);
      memory = residentMemory(cluster.pid!);
    }
    const ended = once(cluster, 'exit');
    cluster.kill();
    await ended;
    await rm(home, { recursive: true, force: true });
  }
  return [
    { name: 'embedded cluster: cold start until it serves', value: median(starts), unit: 'ms', aim: '≤ 1500' },
    { name: 'embedded cluster: resident memory with operator', value: memory, unit: 'MiB', aim: '≤ 150' },
  ];
}
