import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { Blobs } from './blobs.ts';

const folder = mkdtempSync(join(tmpdir(), 'blobs-'));
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

async function* pieces(count: number): AsyncIterable<Buffer> {
  for (let number = 0; number < count; number++) yield Buffer.alloc(1 << 20, number);
}

it('keeps no file of which the disk has lost a part on the way, though the system tells of it once', async () => {
  const blobs = new Blobs(folder);
  const handle = await open(folder);
  const lost = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  const datasync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'datasync').mockRejectedValueOnce(lost);
  await handle.close();
  const id = blobs.newId();
  await expect(blobs.write(id, pieces(40))).rejects.toThrow('EIO');
  expect(existsSync(join(folder, id.slice(-2), id))).toBe(false);
  expect(datasync.mock.calls.length).toBeGreaterThan(1);
});
