import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAlive, until } from './cluster.fixture.ts';
import { spawnSupervised } from './supervised-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kip-supervised-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Takes its time to stop, and leaves a file when it was given it. */
const careful = (file: string) => `
  process.on('SIGTERM', () => setTimeout(() => { require('node:fs').writeFileSync(${JSON.stringify(file)}, ''); process.exit(0); }, 500));
  setInterval(() => {}, 1000);
  process.stdout.write(process.pid + '\\n');`;

describe('a supervised process', () => {
  it('has its time to stop when the cluster is killed, wherever its PATH leads', async () => {
    const stopped = join(folder, 'stopped');
    const fixture = 'packages/embedded/src/node/supervised-process.fixture.ts';
    const cluster = spawn(process.execPath, ['scripts/run.mjs', fixture, '', '/nowhere', process.execPath, '-e', careful(stopped)], {
      cwd: join(import.meta.dirname, '../../../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    cluster.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('the program runs', () => said.endsWith('\n'));
    cluster.kill('SIGKILL');
    await until('the program has ended', () => !isAlive(Number(said)));
    expect(existsSync(stopped)).toBe(true);
  });

  it('that has ended is killed no more: its number may be taken again', async () => {
    const child = await spawnSupervised({ file: '/bin/sh', args: ['-c', ':'] }, { uid: undefined, gid: undefined, graceSeconds: 0 });
    expect(await child.exited).toMatchObject({ exitCode: 0 });
    const killed = vi.spyOn(process, 'kill').mockReturnValue(true);
    child.kill();
    expect(killed).not.toHaveBeenCalled();
    killed.mockRestore();
  });
});
