import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KipError } from '@skipper/api';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProcessPod } from '../contract/process-pod.ts';
import { mongodb } from './definition.ts';
import { refusesProcessor } from './processor.ts';
import { mongodArchive, placeMongod } from './programs.fixture.ts';
import { archiveFor, findMongod, provideMongod } from './programs.ts';

let enginesDir: string;
beforeEach(async () => {
  enginesDir = await mkdtemp(join(tmpdir(), 'skipper-mongodb-'));
  await chmod(enginesDir, 0o755);
  // Whatever this machine has itself is no part of these tests.
  vi.stubEnv('PATH', '/usr/bin:/bin');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(enginesDir, { recursive: true, force: true });
});

const context = () => ({ enginesDir, progress: () => undefined, signal: AbortSignal.timeout(20_000) });
const failure = (promise: Promise<void>): Promise<KipError> =>
  promise.then(
    () => expect.unreachable('it succeeded'),
    (error: KipError) => error,
  );

describe('mongod', () => {
  it('comes from an archive in a folder of ours, when it is the one that was named', async () => {
    const { content, sha256 } = await mongodArchive();
    const folder = join(enginesDir, 'mirror');
    await mkdir(folder);
    await writeFile(join(folder, 'mongodb-linux-x86_64-ubuntu2204-8.0.32.tgz'), content);
    vi.stubEnv('KIP_DOWNLOADS', folder);
    const named = { ...archiveFor('linux-x64')!, checksum: { algorithm: 'sha256' as const, hex: sha256 } };
    await provideMongod('8.0', context(), () => named);
    expect(await findMongod(enginesDir)).toBe(join(enginesDir, 'mongodb-8.0.32', 'bin'));
    await rm(join(enginesDir, 'mongodb-8.0.32'), { recursive: true });
    const { code, message } = await failure(provideMongod('8.0', context(), () => archiveFor('linux-x64')));
    expect(code).toBe('engine-unavailable');
    expect(message).toContain('its sha256 differs');
    expect(await findMongod(enginesDir)).toBeUndefined();
  });

  it('is not had where there is nothing to fetch, and it is said how to have it', async () => {
    const server = createServer((_, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('KIP_DOWNLOADS', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const error = await failure(provideMongod('8.0', context(), () => archiveFor('linux-x64')));
    expect(error.code).toBe('engine-unavailable');
    expect(error.hint).toMatch(/Install MongoDB so that "mongod" is on PATH .* KIP_DOWNLOADS .*mongodb-linux-x86_64-ubuntu2204-8.0.32.tgz/);
    server.close();
  });

  it.each([
    ['7.0', 'linux-x64', 'only 8.0 can be fetched, not 7.0'],
    ['8.0', 'sunos-x64', 'publish no archive'],
  ])('of version %s for %s is refused with the reason', async (version, platform, reason) => {
    const error = await failure(provideMongod(version, context(), () => archiveFor(platform)));
    expect(error.code).toBe('engine-unavailable');
    expect(error.message).toContain(reason);
    expect(error.hint).toContain('on PATH');
  });

  it('is fetched from the makers by names that they publish', () => {
    expect(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'].map((platform) => archiveFor(platform)!.url)).toEqual([
      'https://fastdl.mongodb.org/linux/mongodb-linux-x86_64-ubuntu2204-8.0.32.tgz',
      'https://fastdl.mongodb.org/linux/mongodb-linux-aarch64-ubuntu2204-8.0.32.tgz',
      'https://fastdl.mongodb.org/osx/mongodb-macos-x86_64-8.0.32.tgz',
      'https://fastdl.mongodb.org/osx/mongodb-macos-arm64-8.0.32.tgz',
    ]);
  });
});

describe('a server that answers as mongod does', () => {
  const reading = async (uri: string) => {
    const client = new MongoClient(uri, { directConnection: true, serverSelectionTimeoutMS: 5_000 });
    try {
      return await client.db().collection('kept').findOne({});
    } finally {
      await client.close();
    }
  };

  it('is set up on a socket of its own, knows the administrator, and keeps its data', async () => {
    await placeMongod(enginesDir);
    const pod = await ProcessPod.create(mongodb, '8.0', enginesDir);
    try {
      await pod.start();
      const [first, second] = pod.argumentLists;
      expect(first).toMatch(/--auth .*--bind_ip \/\S+\/mongod\.sock$/);
      expect(second).toMatch(new RegExp(`--auth .*--bind_ip ${pod.ip.replaceAll('.', '\\.')}$`));
      expect(pod.argumentLists.join()).not.toContain(pod.password);
      const client = new MongoClient(pod.uri, { directConnection: true });
      await client.db().collection('kept').insertOne({ value: 'kept value' });
      await client.close();
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) expect(await pod.probe(probe)).toBe(0);
      await expect(reading(pod.uriWith('wrong'))).rejects.toThrow('Authentication failed');
      await pod.stop('SIGKILL');
      expect(await pod.probe('livenessProbe')).not.toBe(0);
      await pod.start();
      expect(await reading(pod.uri)).toMatchObject({ value: 'kept value' });
      expect((await pod.stop()).exitCode).toBe(0);
    } finally {
      await pod.destroy();
    }
  });

  it('starts in the end, whenever its set-up is killed, and leaves no folder behind', async () => {
    await placeMongod(enginesDir);
    const pod = await ProcessPod.create(mongodb, '8.0', enginesDir);
    // Of its own, as others make such folders too; and short, as a socket's path has to be.
    const temporary = await mkdtemp(join(tmpdir(), 'kip-'));
    await chmod(temporary, 0o755);
    vi.stubEnv('TMPDIR', temporary);
    try {
      for (const afterMs of [1, 60, 250, 500, 900]) await pod.startAndKill(afterMs);
      await pod.start();
      expect(await reading(pod.uri)).toBeNull();
      expect(await readdir(temporary)).toEqual([]);
    } finally {
      await pod.destroy();
      await rm(temporary, { recursive: true });
    }
  });
});

describe('a processor', () => {
  const x86 = (flags: string) => `processor\t: 0\nmodel name\t: Some\nflags\t\t: ${flags}\nbugs\t\t: \n`;
  const arm = (features: string) => `processor\t: 0\nFeatures\t: ${features}\nCPU part\t: 0xd08\n`;
  it.each([
    ['x64', x86('fpu sse4_2 avx avx2'), undefined],
    ['x64', x86('fpu sse4_2'), 'no AVX'],
    ['x64', x86('fpu avx2 avx512f'), 'no AVX'],
    ['arm64', arm('fp asimd evtstrm crc32 cpuid'), 'ARMv8.2-A'],
    ['arm64', arm('fp asimd evtstrm crc32 atomics fphp asimdhp'), undefined],
    ['x64', '', undefined],
  ])('of %s with %j is taken or refused with the reason', (architecture, cpuinfo, reason) => {
    const answer = refusesProcessor(cpuinfo, architecture);
    if (reason) expect(answer).toContain(reason);
    else expect(answer).toBeUndefined();
  });
});
