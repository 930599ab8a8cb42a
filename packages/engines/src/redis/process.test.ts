import { appendFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { ProcessPod } from '../contract/process-pod.ts';
import { redis } from './definition.ts';

let pod: ProcessPod | undefined;
afterEach(() => pod?.destroy());

it('keeps the accounts of apps, and takes none from where a link leads', async () => {
  pod = await ProcessPod.create(redis);
  const accounts = join(pod.hostPath('/data'), 'users.acl');
  const folder = await mkdtemp(join(tmpdir(), 'skipper-secret-'));
  await writeFile(join(folder, 'secret'), 'user of-the-cluster off\n');
  await symlink(join(folder, 'secret'), accounts);
  await pod.start();
  expect(await readFile(accounts, 'utf8')).not.toContain('of-the-cluster');
  await rm(folder, { recursive: true });
  await pod.stop();
  await appendFile(accounts, 'user an-app off\n');
  await pod.start();
  expect(await readFile(accounts, 'utf8')).toContain('user an-app off');
});
