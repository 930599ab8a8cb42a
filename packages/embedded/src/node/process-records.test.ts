import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openProcessRecords, recordOrKill } from './process-records.ts';
import { spawnSupervised } from './supervised-process.ts';

it('a process that cannot be noted down does not run on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kip-records-'));
  const records = openProcessRecords(folder);
  await rm(folder, { recursive: true });
  const child = await spawnSupervised(
    { file: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] },
    { uid: undefined, gid: undefined, graceSeconds: 0 },
  );
  expect(() => recordOrKill(records, 'pod_container', child)).toThrow('ENOENT');
  expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
});
