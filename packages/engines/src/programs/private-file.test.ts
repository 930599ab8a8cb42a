import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { giveToPod } from './ownership.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const isRoot = process.getuid?.() === 0;
const anybody = { uid: undefined, gid: undefined };
const pod = isRoot ? { uid: 65_534, gid: 65_534 } : anybody;

describe("a private file in a pod's folder", () => {
  let folder: string;
  let file: string;
  let secret: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skipper-private-'));
    file = join(folder, 'file');
    secret = join(folder, 'secret');
    await writeFile(secret, 'of the cluster');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is the pod's alone, and is read again", async () => {
    await writePrivateFile(file, 'first', pod);
    await writePrivateFile(file, 'second', pod);
    const { mode, uid } = await stat(file);
    expect(mode & 0o777).toBe(0o600);
    expect(uid).toBe(pod.uid ?? process.getuid?.());
    expect(await readPrivateFile(file, pod)).toBe('second');
  });

  it('takes the place of a link, whose target stays as it is', async () => {
    await symlink(secret, file);
    await writePrivateFile(file, 'new', pod);
    expect(await readFile(secret, 'utf8')).toBe('of the cluster');
    expect((await lstat(file)).isFile()).toBe(true);
    expect((await stat(secret)).uid).toBe(process.getuid?.());
  });

  it.each([
    ['nothing', async () => undefined],
    ['a link', () => symlink(secret, file)],
    ['a folder', () => mkdir(file)],
    ['a pipe that nobody writes to', async () => execFileSync('sh', ['-c', 'mkfifo "$0"', file])],
  ])('is not there when there is %s', async (_, make) => {
    await make();
    expect(await readPrivateFile(file, anybody)).toBeUndefined();
  });

  it.runIf(isRoot)('is not there when it is of somebody else', async () => {
    expect(await readPrivateFile(secret, pod)).toBeUndefined();
  });

  it.runIf(isRoot)('is given to the pod without what a link leads to', async () => {
    await symlink(secret, file);
    await giveToPod(file, pod);
    expect((await stat(secret)).uid).toBe(0);
    expect((await lstat(file)).uid).toBe(pod.uid);
  });
});
