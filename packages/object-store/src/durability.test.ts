import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startStoreProcess } from './store-process.fixture.ts';
import { signedRequest } from './test-client.fixture.ts';

const rounds = 6;
const sizes = [0, 100, 20_000, 300_000];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kip-object-store-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** Tells which write a body is of, and whether all of it is there. */
function body(key: string, write: number): Buffer {
  const data = randomBytes(sizes[write % sizes.length]!);
  const head = Buffer.from(`${key} ${write} ${createHash('sha256').update(data).digest('hex')}\n`);
  return Buffer.concat([head, data]);
}

function writeOf(key: string, received: Buffer): number {
  const end = received.indexOf('\n');
  const [name, write, hash] = received.toString('latin1', 0, end).split(' ');
  expect(name).toBe(key);
  expect(
    createHash('sha256')
      .update(received.subarray(end + 1))
      .digest('hex'),
  ).toBe(hash);
  return Number(write);
}

it('has every object whole that it answered for, whenever it is killed', async () => {
  const acknowledged = new Map<string, { write: number; deleted: boolean }>();
  const attempted = new Map<string, { write: number; deleted: boolean }>();
  let write = 0;
  for (let round = 0; round < rounds; round++) {
    const store = await startStoreProcess(folder);
    if (round === 0) await signedRequest(store.account, { method: 'PUT', path: '/durable' });
    for (const [key, { write: last, deleted }] of acknowledged) {
      const answer = await signedRequest(store.account, { method: 'GET', path: `/durable/${key}` });
      const tried = attempted.get(key)!;
      // What was cut off may have been done or not, but not by half.
      const possible = [deleted ? undefined : last, tried.deleted ? undefined : tried.write];
      expect(possible).toContain(answer.status === 404 ? undefined : writeOf(key, answer.body));
      expect([200, 404]).toContain(answer.status);
      attempted.set(key, answer.status === 404 ? { write: -1, deleted: true } : { write: writeOf(key, answer.body), deleted: false });
      acknowledged.set(key, attempted.get(key)!);
    }
    let answered = 0;
    let stopped = false;
    const writer = async (key: string): Promise<void> => {
      while (!stopped) {
        const change = { write: write++, deleted: write % 7 === 0 };
        attempted.set(key, change);
        const method = change.deleted ? 'DELETE' : 'PUT';
        const answer = await signedRequest(store.account, {
          method,
          path: `/durable/${key}`,
          ...(change.deleted ? {} : { body: body(key, change.write) }),
        }).catch(() => undefined);
        if (!answer) return;
        expect(answer.status).toBeLessThan(300);
        acknowledged.set(key, change);
        answered++;
      }
    };
    const writers = Array.from({ length: 8 }, (_, at) => writer(`key-${at}`));
    await delay(200 + Math.random() * 400);
    await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThanOrEqual(4);
    await store.kill();
    stopped = true;
    await Promise.all(writers);
  }
  expect(write).toBeGreaterThan(50);
  const store = await startStoreProcess(folder);
  const { body: listed } = await signedRequest(store.account, { method: 'GET', path: '/durable', query: { 'list-type': '2' } });
  const large = [...listed.toString().matchAll(/<Size>(\d+)<\/Size>/g)].filter(([, size]) => Number(size) > 16_384).length;
  // Files that no object needs any more are removed beside serving.
  await expect.poll(async () => (await blobs()).length).toBe(large);
  await store.kill();
}, 300_000);

it('removes at its start what a crash left half written', async () => {
  const leftover = join(folder, 'blobs', '07', 'leftover.07');
  await writeFile(leftover, 'half');
  const store = await startStoreProcess(folder);
  await expect.poll(async () => (await blobs()).includes('leftover.07')).toBe(false);
  await store.kill();
});

async function blobs(): Promise<string[]> {
  const names = await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map(({ name }) => name);
}
