import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tarGz } from '../programs/archive-server.fixture.ts';
import { findOpensearch, opensearchArchive, provideOpensearch } from './programs.ts';

let root: string;
let enginesDir: string;
let downloads: string;
const platform = `${process.platform}-${process.arch}`;
const hasArchive = opensearchArchive('3') !== undefined;
const context = () => ({ enginesDir, signal: AbortSignal.timeout(20_000), progress: () => undefined });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skipper-opensearch-'));
  enginesDir = join(root, 'engines');
  downloads = join(root, 'downloads');
  await mkdir(downloads);
  vi.stubEnv('KIP_DOWNLOADS', downloads);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

async function publish(version: string): Promise<void> {
  const inside = `opensearch-${version}`;
  const body = tarGz([
    { name: `${inside}/bin/opensearch`, content: '#!/bin/sh\n', mode: 0o755 },
    { name: `${inside}/jdk/bin/java`, content: '#!/bin/sh\n', mode: 0o755 },
    { name: `${inside}/plugins/opensearch-security/tools/hash.sh`, content: '#!/bin/sh\n', mode: 0o755 },
  ]);
  const file = join(downloads, `${inside}-${platform}.tar.gz`);
  await writeFile(file, body);
  await writeFile(`${file}.sha512`, `${createHash('sha512').update(body).digest('hex')}  ${inside}-${platform}.tar.gz\n`);
}

async function install(home: string, parts: readonly string[], version = '3.6.0'): Promise<void> {
  await mkdir(join(home, 'lib'), { recursive: true });
  await writeFile(join(home, 'lib', `opensearch-${version}.jar`), '');
  for (const part of parts) await mkdir(join(home, part), { recursive: true });
  await writeFile(join(home, 'bin', 'opensearch'), '#!/bin/sh\n');
  await chmod(join(home, 'bin', 'opensearch'), 0o755);
  vi.stubEnv('PATH', `${join(home, 'bin')}:${process.env['PATH']}`);
}

describe.runIf(hasArchive)('OpenSearch', () => {
  it("is fetched from its makers' archive, once", async () => {
    await publish('3.2.0');
    await provideOpensearch('3', context());
    expect(await findOpensearch('3', enginesDir)).toBe(join(enginesDir, 'opensearch-3.2.0'));
    await rm(downloads, { recursive: true });
    await provideOpensearch('3', context());
    expect(await readdir(enginesDir)).toEqual(['opensearch-3.2.0']);
  });
  it('is fetched in the version that was asked for', async () => {
    await publish('3.1.0');
    await provideOpensearch('3.1', context());
    expect(await findOpensearch('3.1', enginesDir)).toBe(join(enginesDir, 'opensearch-3.1.0'));
    expect(await findOpensearch('3', enginesDir)).toBeUndefined();
  });
  it('is one that is installed with its security plugin rather than one that is fetched', async () => {
    const home = join(root, 'installed');
    await install(home, ['bin', 'plugins/opensearch-security']);
    await provideOpensearch('3', context());
    expect(await findOpensearch('3', enginesDir)).toBe(home);
  });
  it('is not one of another major version', async () => {
    await install(join(root, 'installed'), ['bin', 'plugins/opensearch-security'], '2.19.2');
    expect(await findOpensearch('3', enginesDir)).toBeUndefined();
    expect(await findOpensearch('2', enginesDir)).toBe(join(root, 'installed'));
  });
  it('is fetched where the one that is installed has no security plugin, which is better than none', async () => {
    const home = join(root, 'installed');
    await install(home, ['bin']);
    await provideOpensearch('3', context());
    expect(await findOpensearch('3', enginesDir)).toBe(home);
    await publish('3.2.0');
    await provideOpensearch('3', context());
    expect(await findOpensearch('3', enginesDir)).toBe(join(enginesDir, 'opensearch-3.2.0'));
  });
  it('is not taken when its checksum differs', async () => {
    await publish('3.2.0');
    await writeFile(join(downloads, `opensearch-3.2.0-${platform}.tar.gz`), 'something else');
    await expect(provideOpensearch('3', context())).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringContaining('its sha512 differs') as string,
      hint: expect.stringMatching(/Install OpenSearch .+ KIP_DOWNLOADS/) as string,
    });
    expect(await findOpensearch('3', enginesDir)).toBeUndefined();
  });
});

it("is published by its makers for Linux, with a checksum, and for no other system's programs", () => {
  expect(opensearchArchive('2.19.2', 'linux-x64')).toMatchObject({
    url: 'https://artifacts.opensearch.org/releases/bundle/opensearch/2.19.2/opensearch-2.19.2-linux-x64.tar.gz',
    checksum: { algorithm: 'sha256', hex: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
  });
  expect(opensearchArchive('3', 'linux-arm64')?.checksum).toEqual({ algorithm: 'sha512', beside: '.sha512' });
  for (const other of ['darwin-arm64', 'darwin-x64', 'win32-x64', 'linux-ia32']) expect(opensearchArchive('3', other)).toBeUndefined();
});
