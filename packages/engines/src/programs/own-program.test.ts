import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { provideNode, provideOwnProgram } from './own-program.ts';

describe('a program of our own', () => {
  let folder: string;
  const provide = (): Promise<string> =>
    provideOwnProgram(
      'thing',
      { ownProgram: (name) => join(folder, 'private', name) },
      { enginesDir: join(folder, 'engines'), signal: AbortSignal.timeout(10_000) },
    );
  const write = async (text: string): Promise<void> => {
    await mkdir(join(folder, 'private', 'thing', 'inner'), { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'private', 'thing', 'main.cjs'), text, { mode: 0o600 });
    await writeFile(join(folder, 'private', 'thing', 'inner', 'native.node'), 'binary', { mode: 0o600 });
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skipper-own-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is copied with all that it needs to where every user can read it', async () => {
    await write('first');
    const file = await provide();
    expect(await readFile(file, 'utf8')).toBe('first');
    for (const [path, mode] of [
      ['..', 0o755],
      ['../main.cjs', 0o644],
      ['../inner', 0o755],
      ['../inner/native.node', 0o644],
    ] as const)
      expect((await stat(join(file, path))).mode & 0o777).toBe(mode);
  });

  it('is copied once by many, and anew when it has changed, beside the one that may run', async () => {
    await write('first');
    const files = await Promise.all([provide(), provide(), provide()]);
    expect(new Set(files).size).toBe(1);
    await write('second');
    const second = await provide();
    expect(await readFile(second, 'utf8')).toBe('second');
    expect(await readFile(files[0]!, 'utf8')).toBe('first');
    expect(await readdir(join(folder, 'engines'))).toHaveLength(2);
  });

  it('says what to do when it is missing', async () => {
    await expect(provide()).rejects.toMatchObject({ code: 'engine-unavailable', hint: expect.stringContaining('again') });
  });
});

describe("Node in a folder of root's", () => {
  const { execPath } = process;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skipper-node-'));
    process.execPath = join(folder, 'node');
    await writeFile(process.execPath, 'program', { mode: 0o700 });
    vi.spyOn(process, 'getuid').mockReturnValue(0);
  });
  afterEach(async () => {
    process.execPath = execPath;
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });

  it('is copied once for many, who begin together, to where every user can run it', async () => {
    const enginesDir = join(folder, 'engines');
    const provide = (): Promise<string> => provideNode({ enginesDir, signal: AbortSignal.timeout(10_000) });
    const [file, ...others] = await Promise.all([provide(), provide(), provide()]);
    expect(others).toEqual([file, file]);
    expect(await provide()).toBe(file);
    expect(await readFile(file, 'utf8')).toBe('program');
    expect((await stat(file)).mode & 0o777).toBe(0o755);
    expect(await readdir(enginesDir)).toHaveLength(1);
  });
});
