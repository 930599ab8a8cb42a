import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import { Storage } from './storage.ts';

const hourMs = 3_600_000;
afterEach(() => void vi.useRealTimers());

it('forgets uploads to which nothing has come for a day, at its start and every 6 hours', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const folder = await mkdtemp(join(tmpdir(), 'kip-uploads-'));
  const logged: string[] = [];
  const begin = (key: string) => storage.uploads.create('b', key, { started: Date.now(), headers: {}, user: {} });
  const addPart = async (key: string, id: string) => {
    const stored = await storage.objects.contents.storeFile(Readable.from([Buffer.from(key)]));
    const part = { number: 1, etag: 'x', size: stored.size, modified: Date.now(), blob: stored.content.id };
    await storage.uploads.addPart('b', key, id, stored, part);
  };
  const left = async () => (await storage.uploads.list('b', '')).map(({ key }) => key);
  const files = async () =>
    (await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
  let storage = await Storage.open(folder, (line) => logged.push(line));
  try {
    await storage.buckets.create('b');
    await addPart('forgotten', await begin('forgotten'));
    const slow = await begin('slow');
    vi.advanceTimersByTime(23 * hourMs);
    await addPart('slow', slow);
    expect([await left(), await files()]).toEqual([['forgotten', 'slow'], 2]);
    vi.advanceTimersByTime(2 * hourMs);
    await expect.poll(left).toEqual(['slow']);
    await expect.poll(files).toBe(1);
    await storage.close();
    vi.setSystemTime(Date.now() + 24 * hourMs);
    storage = await Storage.open(folder, (line) => logged.push(line));
    await expect.poll(left).toEqual([]);
    await expect.poll(files).toBe(0);
    await expect.poll(() => logged).toEqual(Array.from({ length: 2 }, () => 'removed 1 uploads that were never completed'));
  } finally {
    await storage.close();
    await rm(folder, { recursive: true });
  }
});
