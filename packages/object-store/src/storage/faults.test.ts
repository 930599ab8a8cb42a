import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startObjectStore, type ObjectStore } from '../object-store.ts';
import { signedRequest, type RawRequest } from '../test-client.fixture.ts';
import { credentials, useStore } from '../test-store.fixture.ts';
import { Blobs } from './blobs.ts';
import { UnsettledCommit } from './index-database.ts';
import { Storage } from './storage.ts';

const canMount = process.platform === 'linux' && process.getuid?.() === 0;

describe.skipIf(!canMount)('on a disk that is full (needs root, to mount a small one)', () => {
  let folder: string;
  let store: ObjectStore;
  const signed = (options: Partial<RawRequest>) =>
    signedRequest({ endpoint: store.endpoint, ...credentials }, { method: 'GET', path: '/full', ...options });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kip-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', folder]);
    store = await startObjectStore({ dataDir: join(folder, 'data'), host: '127.0.0.1', port: 0, credentials });
    await signed({ method: 'PUT' });
  });
  afterAll(async () => {
    await store?.close();
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  });

  it('says so, keeps what was there, and goes on once there is space', async () => {
    const small = randomBytes(10_000);
    expect(await signed({ method: 'PUT', path: '/full/kept', body: small })).toMatchObject({ status: 200 });
    const large = randomBytes(8 << 20);
    const full = { status: 507, code: 'XMinioStorageFull' };
    let count = 0;
    for (; count < 20; count++) {
      const answer = await signed({ method: 'PUT', path: `/full/large-${count}`, body: large });
      if (answer.status !== 200) {
        expect(answer).toMatchObject(full);
        break;
      }
    }
    expect(count).toBeGreaterThan(1);
    expect(count).toBeLessThan(20);
    // Said in the middle of the upload, it is heard all the same.
    for (let again = 0; again < 10; again++)
      expect(await signed({ method: 'PUT', path: `/full/large-${count}`, body: large })).toMatchObject(full);
    expect(await signed({ path: `/full/large-${count}` })).toMatchObject({ status: 404 });
    // Beyond what the store leaves free, others may take the rest.
    await writeFile(join(folder, 'others'), Buffer.alloc(200 << 20)).catch(() => {});
    expect(await signed({ method: 'PUT', path: '/full/small', body: small })).toMatchObject(full);
    expect((await signed({ path: '/full/kept' })).body.equals(small)).toBe(true);
    expect((await signed({ path: '/full/large-0' })).body.equals(large)).toBe(true);
    const deleted = await signed({ method: 'DELETE', path: '/full/large-1' });
    expect([204, 507]).toContain(deleted.status);
    execFileSync('mount', ['-o', 'remount,size=256m', folder]);
    await expect.poll(async () => (await signed({ method: 'DELETE', path: '/full/large-0' })).status).toBe(204);
    // What was seen of the disk holds for a moment.
    await expect.poll(async () => (await signed({ method: 'PUT', path: `/full/large-${count}`, body: large })).status).toBe(200);
    expect((await signed({ path: '/full/kept' })).body.equals(small)).toBe(true);
  }, 120_000);
});

describe.skipIf(!canMount)('a commit of which nobody knows whether it came to be (needs root, to mount a small disk)', () => {
  it('leaves the file that it names to the sweep of the next start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kip-unsettled-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]);
    const logged: string[] = [];
    const files = async () =>
      (await readdir(join(folder, 'data', 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
    try {
      let storage = await Storage.open(join(folder, 'data'), () => {});
      await storage.buckets.create('small');
      const stored = await storage.objects.contents.store(Readable.from([randomBytes(100_000)]));
      const record = { etag: 'x', size: stored.size, modified: 0, content: stored.content, headers: {}, user: {} };
      await writeFile(join(folder, 'others'), Buffer.alloc(32 << 20)).catch(() => {});
      const large = { key: 'large', value: Buffer.alloc(1 << 20) };
      await expect(storage.objects.put('small', 'one', stored, record, () => {}, [large])).rejects.toBeInstanceOf(UnsettledCommit);
      expect(await files()).toBe(1);
      await rm(join(folder, 'others'));
      expect(await storage.objects.find('small', 'one')).toBeUndefined();
      await storage.close();
      storage = await Storage.open(join(folder, 'data'), (line) => logged.push(line));
      await storage.close();
      expect([await files(), logged]).toEqual([0, ['removed 1 unfinished files']]);
    } finally {
      execFileSync('umount', ['-l', folder]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a file that is missing', () => {
  const { account, folder } = useStore();
  const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/torn', ...options });

  it('is said to be so, and stands in the way of nothing else', async () => {
    await signed({ method: 'PUT' });
    await signed({ method: 'PUT', path: '/torn/file', body: randomBytes(100_000) });
    await signed({ method: 'PUT', path: '/torn/other', body: 'other' });
    const blobs = join(folder(), 'blobs');
    for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) await rm(join(entry.parentPath, entry.name));
    const unreadable = { status: 503, code: 'SlowDownRead' };
    expect(await signed({ path: '/torn/file' })).toMatchObject(unreadable);
    expect(await signed({ method: 'HEAD', path: '/torn/file' })).toMatchObject({ status: 503 });
    expect(await signed({ method: 'PUT', path: '/torn/copy', headers: { 'x-amz-copy-source': '/torn/file' } })).toMatchObject(unreadable);
    expect((await signed({ path: '/torn/other' })).body.toString()).toBe('other');
    expect(await signed({ method: 'PUT', path: '/torn/file', body: 'new' })).toMatchObject({ status: 200 });
    expect((await signed({ path: '/torn/file' })).body.toString()).toBe('new');
  }, 20_000);
});

describe('a file that cannot be opened', () => {
  const { account, folder } = useStore();
  const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/locked', ...options });

  it('is removed with its object all the same', async () => {
    await signed({ method: 'PUT' });
    await signed({ method: 'PUT', path: '/locked/file', body: randomBytes(100_000) });
    const tooMany = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    vi.spyOn(Blobs.prototype, 'open').mockRejectedValueOnce(tooMany);
    expect(await signed({ path: '/locked/file' })).toMatchObject({ status: 500 });
    vi.restoreAllMocks();
    await signed({ method: 'DELETE', path: '/locked/file' });
    const files = async () =>
      (await readdir(join(folder(), 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    await expect.poll(files).toEqual([]);
  });
});

describe('many at once', () => {
  const { account } = useStore();
  const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/many', ...options });
  beforeAll(async () => void (await signed({ method: 'PUT' })));

  it('on one key leave one of them, and readers never see a half', async () => {
    const bodies = Array.from({ length: 40 }, (_, at) => Buffer.alloc(at % 2 ? 30_000 : 500, `${at};`));
    const read = async () => {
      const { status, body } = await signed({ path: '/many/one' });
      if (status === 200) expect(bodies.some((one) => one.equals(body))).toBe(true);
      else expect(status).toBe(404);
    };
    await Promise.all(
      bodies.flatMap((body, at) => [
        signed({ method: at % 5 === 0 ? 'DELETE' : 'PUT', path: '/many/one', ...(at % 5 === 0 ? {} : { body }) }),
        read(),
        read(),
      ]),
    );
    await read();
  });

  it('that want a key to be new leave the first', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => signed({ method: 'PUT', path: '/many/new', body: `${at}`, headers: { 'if-none-match': '*' } })),
    );
    const [won, ...others] = answers.map(({ status }) => status).toSorted();
    expect([won, new Set(others)]).toEqual([200, new Set([412])]);
    const winner = answers.findIndex(({ status }) => status === 200);
    expect((await signed({ path: '/many/new' })).body.toString()).toBe(`${winner}`);
  });

  it('cannot put into a bucket that is being deleted', async () => {
    for (let round = 0; round < 10; round++) {
      await signed({ method: 'PUT', path: '/fleeting' });
      const [put, upload, removed] = await Promise.all([
        signed({ method: 'PUT', path: '/fleeting/x', body: 'x' }),
        signed({ method: 'POST', path: '/fleeting/y', query: { uploads: '' } }),
        signed({ method: 'DELETE', path: '/fleeting' }),
      ]);
      expect([200, 404]).toContain(upload.status);
      expect([put.status, removed.status]).toEqual(put.status === 200 ? [200, 409] : [404, 204]);
      await signed({ method: 'DELETE', path: '/fleeting/x' });
      await signed({ method: 'DELETE', path: '/fleeting' });
    }
  });

  it('keep reading an object that is replaced and deleted meanwhile', async () => {
    const body = randomBytes(8 << 20);
    await signed({ method: 'PUT', path: '/many/read', body });
    const reading = Promise.all(Array.from({ length: 4 }, () => signed({ path: '/many/read' })));
    await signed({ method: 'PUT', path: '/many/read', body: 'other' });
    await signed({ method: 'DELETE', path: '/many/read' });
    for (const { status, body: received } of await reading)
      expect(status === 404 || received.equals(body) || received.toString() === 'other').toBe(true);
  });
});
