import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeFolder } from './folder-removal.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;
let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'kip-removal-'));
  if (!isRoot) return;
  await chown(parent, nobody, nobody);
  // No folder is closed to root.
  process.seteuid!(nobody);
});
afterEach(async () => {
  if (isRoot) process.seteuid!(0);
  await chmod(parent, 0o700);
  await rm(parent, { recursive: true, force: true });
});

it('a folder goes although a program has closed what is in it, and no link is followed', async () => {
  const [folder, elsewhere] = [join(parent, 'pod'), join(parent, 'elsewhere')];
  await mkdir(join(folder, 'cache', 'module'), { recursive: true });
  await mkdir(elsewhere);
  await writeFile(join(folder, 'cache', 'module', 'file'), '');
  await symlink(elsewhere, join(folder, 'link'));
  for (const [path, mode] of [
    [elsewhere, 0o500],
    [join(folder, 'cache', 'module'), 0o500],
    [join(folder, 'cache'), 0],
  ] as const)
    await chmod(path, mode);
  const said: string[] = [];
  await removeFolder(folder, (message) => said.push(message));
  expect(said).toEqual([]);
  expect(await readdir(parent)).toEqual(['elsewhere']);
  expect((await stat(elsewhere)).mode & 0o777).toBe(0o500);
});

it('a folder that cannot be removed is told of, and nothing else', async () => {
  const folder = join(parent, 'pod');
  await mkdir(folder);
  await chmod(parent, 0o500);
  const said: string[] = [];
  await removeFolder(folder, (message) => said.push(message));
  expect(said).toEqual([expect.stringContaining(`the folder ${folder} could not be removed: EACCES`)]);
});

it('a folder that is not there is removed already', async () => {
  const said: string[] = [];
  await removeFolder(join(parent, 'pod'), (message) => said.push(message));
  expect(said).toEqual([]);
});
