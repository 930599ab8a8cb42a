import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode, KipError } from '@skipper/api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchArchive, type ArchiveOptions, type MakerArchive } from './archive.ts';
import { makerArchive, rangeHandler, serveArchive, tarGz, type ArchiveServer, type TarEntry } from './archive-server.fixture.ts';

const program: TarEntry = { name: 'thing-1.2.3/bin/thing', content: '#!/bin/sh\necho thing\n', mode: 0o755 };
/** Random, so that it takes more than one packet compressed as well. */
const filler: TarEntry = { name: 'thing-1.2.3/lib/libthing.so.1', content: randomBytes(1 << 20) };
const link: TarEntry = { name: 'thing-1.2.3/lib/libthing.so', type: 'symlink', target: 'libthing.so.1' };
const body = tarGz([program, filler, link]);

let root: string;
let folder: string;
let server: ArchiveServer;
let told: { message: string; fraction: number | undefined }[];

const quick = (more: Partial<ArchiveOptions> = {}): ArchiveOptions => ({
  signal: AbortSignal.timeout(60_000),
  progress: (message, fraction) => told.push({ message, fraction }),
  stallMs: 10_000,
  retryMs: 1,
  ...more,
});
const archive = (content = body) => makerArchive(content, `${server.url}/releases/thing-1.2.3-linux-x64.tar.gz`);
const failure = (promise: Promise<void>): Promise<KipError> =>
  promise.then(
    () => expect.unreachable('it succeeded'),
    (error: KipError) => error,
  );

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skipper-archive-'));
  folder = join(root, 'engines', 'thing-1.2.3');
  server = await serveArchive(body);
  told = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await rm(root, { recursive: true, force: true });
});

async function expectWhole(): Promise<void> {
  expect(execFileSync(join(folder, 'bin', 'thing'), { encoding: 'utf8' })).toBe('thing\n');
  expect((await readFile(join(folder, 'lib', 'libthing.so'))).equals(filler.content as Buffer)).toBe(true);
  expect(await readdir(join(root, 'engines'))).toEqual(['thing-1.2.3']);
}

async function expectNothing(): Promise<void> {
  expect(await readdir(join(root, 'engines'))).toEqual([]);
}

describe('an archive', () => {
  it('is unpacked without its outer folder, runnable and readable by every user', async () => {
    await fetchArchive(archive(), folder, quick());
    await expectWhole();
    expect(await readlink(join(folder, 'lib', 'libthing.so'))).toBe('libthing.so.1');
    for (const path of ['', 'bin', 'bin/thing', 'lib']) expect((await stat(join(folder, path))).mode & 0o777).toBe(0o755);
  });
  it('tells how far it is, in bytes and as a growing fraction', async () => {
    await fetchArchive(archive(), folder, quick());
    expect(told[0]).toEqual({ message: 'downloading Thing 1.2.3', fraction: 0 });
    expect(told.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^downloading Thing 1\.2\.3: \d\.\d of 1\.0 MB \(\d+ %\)$/),
    );
    const fractions = told.map(({ fraction }) => fraction!);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(told.at(-1)).toEqual({ message: 'unpacked Thing 1.2.3', fraction: 1 });
  });
  it('is finished before it appears', async () => {
    const complete = async (unpacked: string): Promise<void> => {
      expect(existsSync(folder)).toBe(false);
      await writeFile(join(unpacked, 'finished'), '');
    };
    await fetchArchive(archive(), folder, quick({ complete }));
    expect(existsSync(join(folder, 'finished'))).toBe(true);
  });
  it('is fetched once for all who wait, who all hear of the progress', async () => {
    const heard = [0, 0, 0];
    await Promise.all(heard.map((_, index) => fetchArchive(archive(), folder, quick({ progress: () => (heard[index]! += 1) }))));
    expect(server.requests).toHaveLength(1);
    expect(Math.min(...heard)).toBeGreaterThan(2);
    await expectWhole();
  });
  it('lets another process win that was quicker', async () => {
    const complete = async (): Promise<void> => {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'theirs'), '');
    };
    await fetchArchive(archive(), folder, quick({ complete }));
    expect(await readdir(folder)).toEqual(['theirs']);
    expect(await readdir(join(root, 'engines'))).toEqual(['thing-1.2.3']);
  });
  it('removes what a killed process left, and nothing that is being written', async () => {
    await mkdir(`${folder}.new-killed`, { recursive: true });
    await writeFile(`${folder}.new-killed/archive`, '');
    await mkdir(`${folder}.new-writing`);
    const longAgo = new Date(Date.now() - 7_200_000);
    await utimes(`${folder}.new-killed/archive`, longAgo, longAgo);
    await utimes(`${folder}.new-killed`, longAgo, longAgo);
    await fetchArchive(archive(), folder, quick());
    expect((await readdir(join(root, 'engines'))).toSorted()).toEqual(['thing-1.2.3', 'thing-1.2.3.new-writing']);
  });
});

describe('who waits', () => {
  const endless = (): { signal: AbortSignal; cut: AbortController } => {
    server.answer((_, response) => {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 1000));
    });
    const cut = new AbortController();
    return { signal: cut.signal, cut };
  };
  const untilAsked = () => vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0), 5_000);

  it('can leave, and nothing remains', async () => {
    const { signal, cut } = endless();
    const fetching = failure(fetchArchive(archive(), folder, quick({ signal, stallMs: 60_000 })));
    await untilAsked();
    cut.abort(new Error('the pod is gone'));
    expect((await fetching).message).toBe('the pod is gone');
    await expectNothing();
  });
  it('can leave without taking it from the others', async () => {
    const cut = new AbortController();
    server.answer((request, response) => {
      cut.abort(new Error('the pod is gone'));
      setTimeout(() => rangeHandler(body)(request, response), 50);
    });
    const leaving = failure(fetchArchive(archive(), folder, quick({ signal: cut.signal })));
    await fetchArchive(archive(), folder, quick());
    expect((await leaving).message).toBe('the pod is gone');
    await expectWhole();
  });
  it('can come after the last has left, and gets it', async () => {
    const { signal, cut } = endless();
    const leaving = failure(fetchArchive(archive(), folder, quick({ signal, stallMs: 60_000 })));
    await untilAsked();
    server.answer(rangeHandler(body));
    cut.abort(new Error('the pod is gone'));
    await fetchArchive(archive(), folder, quick());
    await leaving;
    await expectWhole();
  });
});

describe('a server', () => {
  it('that cuts the connection again and again is asked for the rest', async () => {
    let sent = 0;
    server.answer((request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
      sent = Math.min(from + 300_000, body.length);
      response.writeHead(from > 0 ? 206 : 200, {
        etag: '"1"',
        'content-length': body.length - from,
        ...(from > 0 ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
      });
      response.write(body.subarray(from, sent), () => (sent < body.length ? request.socket.destroy() : response.end()));
    });
    await fetchArchive(archive(), folder, quick());
    expect(server.requests.length).toBeGreaterThan(2);
    expect(server.requests.slice(1).every(({ headers }) => headers['if-range'] === '"1"')).toBe(true);
    await expectWhole();
  });
  it.each([
    ['knows no ranges', { etag: '"1"' }],
    ['gives nothing to tell its contents by', {}],
    ['holds something else by then', { etag: '"0"' }],
  ])('that cuts the connection and %s is asked for all of it', async (_, headers) => {
    server.answer((request, response) => {
      server.answer((again, answer) => {
        if ('etag' in headers && headers.etag === '"0"') return rangeHandler(body)(again, answer);
        answer.writeHead(200, headers).end(body);
      });
      response.writeHead(200, { ...headers, 'content-length': body.length });
      response.write(randomBytes(5000), () => request.socket.destroy());
    });
    await fetchArchive(archive(), folder, quick());
    expect(server.requests).toHaveLength(2);
    await expectWhole();
  });
  it('that stops sending is left and asked again', async () => {
    server.answer((_, response) => {
      server.answer(rangeHandler(body));
      response.writeHead(200, { etag: '"1"', 'content-length': body.length });
      response.write(body.subarray(0, 1000));
    });
    await fetchArchive(archive(), folder, quick({ stallMs: 1_000 }));
    await expectWhole();
  });
  it.each([
    ['never answers', /did not answer within 1 s/, () => undefined, 1_000],
    ['always closes', /is not reached: socket hang up/, (socket: { destroy(): void }) => socket.destroy(), 10_000],
  ])('that %s is given up', async (_, message, behave, stallMs) => {
    server.answer((request) => behave(request.socket));
    const error = await failure(fetchArchive(archive(), folder, quick({ stallMs })));
    expect(hasCode(error, 'engine-unavailable')).toBe(true);
    expect(error.message).toMatch(message);
    expect(server.requests).toHaveLength(3);
    await expectNothing();
  });
  it('that is busy for a while is asked again', async () => {
    server.answer((_, response) => {
      server.answer(rangeHandler(body));
      response.writeHead(503).end();
    });
    await fetchArchive(archive(), folder, quick());
    await expectWhole();
  });
  it('that has it not is asked once, and the error says the ways to get it', async () => {
    server.answer((_, response) => response.writeHead(404).end('<html>'));
    const error = await failure(fetchArchive(archive(), folder, quick()));
    expect(error.code).toBe('engine-unavailable');
    expect(error.message).toBe(
      `Thing 1.2.3 could not be fetched: ${server.url}/releases/thing-1.2.3-linux-x64.tar.gz answers 404 Not Found.`,
    );
    expect(error.hint).toBe(
      'Install Thing so that "thing" is on PATH. Or set KIP_DOWNLOADS to a mirror or folder that holds thing-1.2.3-linux-x64.tar.gz.',
    );
    expect(server.requests).toHaveLength(1);
    await expectNothing();
  });
  it('that redirects is followed', async () => {
    server.answer((_, response) => {
      server.answer(rangeHandler(body));
      response.writeHead(302, { location: '/elsewhere?signature=abc' }).end();
    });
    await fetchArchive(archive(), folder, quick());
    expect(server.requests[1]?.url).toBe('/elsewhere?signature=abc');
    await expectWhole();
  });
  it.each([
    ['in circles', '/again', /redirects more than 10 times/],
    ['to a file', 'file:///etc/passwd', /not as safe/],
  ])('that redirects %s is refused', async (_, location, message) => {
    server.answer((_request, response) => response.writeHead(302, { location }).end());
    expect((await failure(fetchArchive(archive(), folder, quick()))).message).toMatch(message);
  });
  it('that calls the archive encoded is taken at its bytes', async () => {
    server.answer((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body));
    await fetchArchive(archive(), folder, quick());
    await expectWhole();
  });
});

describe('a checksum that is published beside the archive', () => {
  const beside = (): MakerArchive => ({ ...archive(), checksum: { algorithm: 'sha256', beside: '.sha256' } });
  const answerWith = (sum: string): void =>
    server.answer((request, response) => (request.url?.endsWith('.sha256') ? response.end(sum) : rangeHandler(body)(request, response)));

  it.each([
    ['alone', (hex: string) => hex],
    ['as sha256sum writes it', (hex: string) => `${hex.toUpperCase()}  thing-1.2.3-linux-x64.tar.gz\n`],
  ])('is taken %s', async (_, written) => {
    answerWith(written(createHash('sha256').update(body).digest('hex')));
    await fetchArchive(beside(), folder, quick());
    await expectWhole();
  });
  it.each([
    ['another', 'a'.repeat(64), /its sha256 differs/],
    ['half of one', 'a'.repeat(32), /\.sha256 holds no sha256 checksum/],
    ['none', '<html>', /\.sha256 holds no sha256 checksum/],
    ['far more', 'a'.repeat(100_000), /holds more than the 4096 bytes/],
  ])('is not: %s', async (_, written, message) => {
    answerWith(written);
    expect((await failure(fetchArchive(beside(), folder, quick()))).message).toMatch(message);
    await expectNothing();
  });
});

describe('what is refused', () => {
  it('is an archive with another checksum, before any of it is unpacked', async () => {
    const other = tarGz([{ ...program, name: '../../evil' }]);
    server.answer(rangeHandler(other));
    const error = await failure(fetchArchive(archive(), folder, quick()));
    expect(error.code).toBe('engine-unavailable');
    expect(error.message).toMatch(/is not the file that was published: its sha512 differs\.$/);
    expect(told.map(({ message }) => message).join()).not.toContain('unpacking');
    await expectNothing();
  });
  it.each([
    ['garbage', randomBytes(5000)],
    ['nothing', Buffer.alloc(0)],
    ['half of an archive', body.subarray(0, body.length / 2)],
  ])('is %s', async (_, content) => {
    server.answer(rangeHandler(content));
    const error = await failure(fetchArchive(archive(content), folder, quick()));
    expect(error.code).toBe('engine-unavailable');
    expect(error.message).toMatch(/it cannot be unpacked/);
    await expectNothing();
  });

  const climbing = '../'.repeat(12);
  it.each<[string, (outside: string) => TarEntry[]]>([
    ['a path that climbs out', (outside) => [{ name: `thing-1.2.3/${climbing}${outside.slice(1)}/evil` }]],
    ['a link to an absolute path', (outside) => [{ name: 'thing-1.2.3/out', type: 'symlink', target: outside }]],
    ['a link that climbs out', () => [{ name: 'thing-1.2.3/out', type: 'symlink', target: '../..' }]],
    [
      'a link that climbs out by another',
      () => [
        { name: 'thing-1.2.3/top', type: 'folder', mode: 0o755 },
        { name: 'thing-1.2.3/a/b/down', type: 'symlink', target: '../../top' },
        { name: 'thing-1.2.3/out', type: 'symlink', target: 'a/b/down/../..' },
      ],
    ],
    [
      'a file behind a link out',
      (outside) => [{ name: 'thing-1.2.3/out', type: 'symlink', target: outside }, { name: 'thing-1.2.3/out/evil' }],
    ],
    ['a hard link out', (outside) => [{ name: 'thing-1.2.3/out', type: 'link', target: `${climbing}${outside.slice(1)}/kept` }]],
    ['a device', () => [{ name: 'thing-1.2.3/null', type: 'device' }]],
  ])('is an archive with %s', async (_, entries) => {
    const outside = join(root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'kept'), 'kept');
    const hostile = tarGz([program, ...entries(outside)]);
    server.answer(rangeHandler(hostile));
    expect((await failure(fetchArchive(archive(hostile), folder, quick()))).code).toBe('engine-unavailable');
    expect(await readdir(outside)).toEqual(['kept']);
    expect((await stat(join(outside, 'kept'))).nlink).toBe(1);
    await expectNothing();
  });
  it('is nothing that an absolute path alone makes: it lands inside', async () => {
    const content = tarGz([program, { name: `${join(root, 'outside')}/evil` }]);
    server.answer(rangeHandler(content));
    await fetchArchive(archive(content), folder, quick());
    expect(existsSync(join(root, 'outside'))).toBe(false);
  });
  it('are the rights of a set-user program', async () => {
    const content = tarGz([{ ...program, mode: 0o6777 }]);
    server.answer(rangeHandler(content));
    await fetchArchive(archive(content), folder, quick());
    expect((await stat(join(folder, 'bin', 'thing'))).mode & 0o7777).toBe(0o755);
  });
});

describe('KIP_DOWNLOADS', () => {
  const published = () => makerArchive(body, 'https://maker.invalid/releases/thing-1.2.3-linux-x64.tar.gz');

  it('takes archives from a mirror, by their names', async () => {
    vi.stubEnv('KIP_DOWNLOADS', `${server.url}/mirror/of/kip/`);
    await fetchArchive(published(), folder, quick());
    expect(server.requests.map(({ url }) => url)).toEqual(['/mirror/of/kip/thing-1.2.3-linux-x64.tar.gz']);
    await expectWhole();
  });
  it('logs in at a mirror, and shows the password nowhere', async () => {
    vi.stubEnv('KIP_DOWNLOADS', server.url.replace('//', '//me:p%40ss@'));
    server.answer((request, response) => {
      const [, credentials] = request.headers.authorization?.split(' ') ?? [];
      response.writeHead(Buffer.from(credentials ?? '', 'base64').toString() === 'me:p@ss' ? 403 : 401).end();
    });
    const error = await failure(fetchArchive(published(), folder, quick()));
    expect(error.message).toContain('answers 403');
    expect(`${error.message} ${error.hint}`).not.toMatch(/p@ss|p%40ss/);
  });
  it.each([
    ['a file address', (path: string) => `file://${path}`],
    ['a path', (path: string) => path],
  ])('takes archives from a folder, given as %s', async (_, base) => {
    await writeFile(join(root, 'thing-1.2.3-linux-x64.tar.gz'), body);
    vi.stubEnv('KIP_DOWNLOADS', base(root));
    await fetchArchive(published(), folder, quick());
    await expectWhole();
  });
  it('checks the checksum there as well', async () => {
    await writeFile(join(root, 'thing-1.2.3-linux-x64.tar.gz'), 'something else');
    vi.stubEnv('KIP_DOWNLOADS', root);
    expect((await failure(fetchArchive(published(), folder, quick()))).message).toMatch(/its sha512 differs/);
  });
  it('says when its folder lacks the archive', async () => {
    vi.stubEnv('KIP_DOWNLOADS', root);
    const error = await failure(fetchArchive(published(), folder, quick()));
    expect(error.code).toBe('engine-unavailable');
    expect(error.message).toContain(`no such file or directory`);
  });
  it.each(['ftp://mirror', 'mirror/kip', ' '])('refuses %j', async (base) => {
    vi.stubEnv('KIP_DOWNLOADS', base);
    expect((await failure(fetchArchive(published(), folder, quick()))).message).toMatch(/neither an http, https or file address nor/);
  });
});

/** A disk of its own needs root. */
describe.runIf(process.platform === 'linux' && process.getuid?.() === 0)('a disk that is full', () => {
  beforeEach(async () => {
    await mkdir(join(root, 'engines'));
  });
  afterEach(() => execFileSync('umount', [join(root, 'engines')]));

  it.each([
    ['while it downloads', 512],
    ['while it unpacks', 1_500],
  ])('%s is said, and nothing remains', async (_, kilobytes) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', join(root, 'engines')]);
    const error = await failure(fetchArchive(archive(), folder, quick()));
    expect(error.code).toBe('disk-full');
    expect(error.message).toBe(`There is no space left for Thing 1.2.3 in ${join(root, 'engines')}.`);
    await expectNothing();
  });
});
