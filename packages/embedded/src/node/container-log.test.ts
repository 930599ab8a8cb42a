import { mkdtemp, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerLog } from './container-log.ts';

let folder: string;
let log: ContainerLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'container-log-'));
  log = new ContainerLog(join(folder, 'main'), { rotateAtBytes: 1_000 });
  log.startRun();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lines = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `line ${index + from}\n`).join('');

describe('the log of a container', () => {
  it("keeps each output's lines whole, and ends an unfinished one with the run", async () => {
    log.append('out', 'one ');
    log.append('err', 'problem\n');
    log.append('out', 'two\rthree\nrest');
    log.endRun();
    expect(await text(log.read({}))).toBe('problem\none two\rthree\nrest\n');
  });

  it('gives the last lines, those since a time, with times, and no more bytes than asked', async () => {
    log.append('out', lines(5));
    expect(await text(log.read({ tailLines: 2 }))).toBe(lines(2, 3));
    expect(await text(log.read({ tailLines: 0 }))).toBe('');
    expect(await text(log.read({ sinceTime: new Date(Date.now() + 60_000).toISOString() }))).toBe('');
    expect(await text(log.read({ sinceSeconds: 60 }))).toBe(lines(5));
    expect(await text(log.read({ limitBytes: 9 }))).toBe('line 0\nli');
    expect(await text(log.read({ timestamps: true, tailLines: 1 }))).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z line 4\n$/);
  });

  it('is read in parts, so that nothing else waits for a large one, and whole nevertheless', async () => {
    const large = new ContainerLog(join(folder, 'large'));
    large.startRun();
    for (let at = 0; at < 200_000; at += 10_000) large.append('out', lines(10_000, at));
    let turns = 0;
    let going = true;
    const turn = (): void => {
      large.append('out', lines(1, 200_000 + turns++));
      if (going) setImmediate(turn);
    };
    const stream = large.read({ follow: true, tailLines: 90_000 });
    turn();
    const followed = text(stream);
    await once(stream, 'readable');
    expect(turns).toBeGreaterThan(20);
    going = false;
    const soFar = turns;
    expect(await text(large.read({}))).toBe(lines(200_000 + soFar));
    large.endRun();
    expect(await followed).toBe(lines(90_000 + turns, 110_000));
  });

  it('loses and repeats no line for who follows it through rotations', async () => {
    log.append('out', lines(10));
    const followed = text(log.read({ follow: true }));
    for (let at = 10; at < 200; at += 10) {
      log.append('out', lines(10, at));
      await new Promise((resolve) => setImmediate(resolve));
    }
    log.endRun();
    expect(await followed).toBe(lines(200));
  });

  it('is no larger than twice the size at which it rotates', async () => {
    for (let at = 0; at < 2_000; at += 10) log.append('out', lines(10, at));
    const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(4_000);
    expect(await text(log.read({ tailLines: 1 }))).toBe('line 1999\n');
  });

  it('follows from the end when asked so, and one run only', async () => {
    log.append('out', lines(3));
    const stream = log.read({ follow: true, tailLines: 0 });
    const followed = text(stream);
    await new Promise((resolve) => setImmediate(resolve));
    log.append('out', 'new\n');
    log.endRun();
    log.startRun();
    log.append('out', 'next run\n');
    expect(await followed).toBe('new\n');
    expect(await text(log.read({ previous: true }))).toBe(`${lines(3)}new\n`);
    expect(await text(log.read({}))).toBe('next run\n');
  });

  it('stops following when the reader goes away', async () => {
    const stream = log.read({ follow: true });
    stream.resume();
    const closed = once(stream, 'close');
    stream.destroy();
    await closed;
    log.append('out', lines(1));
  });

  it.skipIf(process.platform !== 'linux')('leaves no file open where it cannot be read', async () => {
    await writeFile(join(folder, 'main.1'), '');
    await symlink('main', join(folder, 'main'));
    await expect(text(log.read({}))).rejects.toMatchObject({ code: 'ELOOP' });
    const open = await Promise.all(
      (await readdir('/proc/self/fd')).map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
    );
    expect(open).not.toContain(join(folder, 'main.1'));
  });

  it("is readable by the cluster's own user only", async () => {
    log.append('out', lines(1));
    expect((await stat(join(folder, 'main'))).mode & 0o777).toBe(0o600);
  });
});
