import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { IndexDatabase } from './index-database.ts';

it('writes what comes the moment that the last commit is done', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kip-index-'));
  const index = await IndexDatabase.open(folder);
  try {
    for (const key of ['first', 'second']) await index.commit([{ key, value: Buffer.from(key) }]);
    expect(String(await index.get('second'))).toBe('second');
  } finally {
    await index.close();
    await rm(folder, { recursive: true });
  }
});
