import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, until } from './cluster.fixture.ts';
import { openProcessRecords, recordOrKill } from './process-records.ts';
import { bootId } from './process-table.ts';
import { killGroup, spawnSupervised } from './supervised-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kip-records-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a process that cannot be noted down does not run on', async () => {
  const records = openProcessRecords(folder);
  await rm(folder, { recursive: true });
  const child = await spawnSupervised(
    { file: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] },
    { uid: undefined, gid: undefined, graceSeconds: 0 },
  );
  expect(() => recordOrKill(records, 'pod_container', child)).toThrow('ENOENT');
  expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
});

describe('what a killed cluster left', () => {
  const file = () => join(folder, 'pod_container.json');
  /** A cluster whose program has a child, in the same group. */
  const start = async () => {
    const program = ['/bin/sh', '-c', 'sleep 60 & echo $$ $!; wait'];
    const fixture = 'packages/embedded/src/node/supervised-process.fixture.ts';
    const cluster = spawn(process.execPath, ['scripts/run.mjs', fixture, folder, '/usr/bin:/bin', ...program], {
      cwd: join(import.meta.dirname, '../../../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = String((await once(cluster.stdout, 'data'))[0]);
    await until('it is noted down', () => readFile(file(), 'utf8').catch(() => ''));
    const [pid = 0, child = 0] = said.split(' ').map(Number);
    return { cluster, pid, child };
  };

  it('of a group whose program has ended is killed', async () => {
    const { cluster, pid, child } = await start();
    // Its watcher would do the same, if it could.
    killGroup(pid, 'SIGSTOP');
    cluster.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until('the program has ended', () => !isAlive(pid));
    expect(isAlive(child)).toBe(true);
    await openProcessRecords(folder).reap(0);
    await until('nothing is left', () => !isAlive(child));
    expect(await readdir(folder)).toEqual([]);
  });

  it('is nothing that another boot of the machine has under its number', async () => {
    const { cluster, pid, child } = await start();
    await writeFile(file(), JSON.stringify({ ...JSON.parse(await readFile(file(), 'utf8')), boot: 'another' }));
    await openProcessRecords(folder).reap(0);
    expect([pid, child].map(isAlive)).toEqual([true, true]);
    expect(await readdir(folder)).toEqual([]);
    cluster.kill('SIGKILL');
  });

  it('is not the group of somebody else that has its number by now', async () => {
    const other = spawn('/bin/sh', ['-c', 'sleep 60 <&- >&- 2>&- & echo $!'], { detached: true });
    const child = Number((await once(other.stdout, 'data'))[0]);
    await until('its leader has ended', () => other.exitCode !== null);
    // As it is written now, and as it was by a former version.
    for (const more of [{ boot: bootId(), mark: 'kip-of-before' }, {}]) {
      await writeFile(file(), JSON.stringify({ pid: other.pid, startTime: '1', ...more }));
      await openProcessRecords(folder).reap(0);
      expect(isAlive(child)).toBe(true);
      expect(await readdir(folder)).toEqual([]);
    }
    killGroup(other.pid!, 'SIGKILL');
  });
});
