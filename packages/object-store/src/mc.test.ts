import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { credentials, useStore } from './test-store.fixture.ts';

const run = promisify(execFile);

/** MinIO's own client: what MC names, or Debian's name for it (package minio-client, from trixie on). Plain `mc` is mostly another program. */
async function findClient(): Promise<string | undefined> {
  for (const program of [process.env['MC'], 'minio-client', 'mcli'])
    if (
      program &&
      (await run(program, ['--version'])
        .then(({ stdout }) => /minio/i.test(stdout))
        .catch(() => false))
    )
      return program;
  return undefined;
}
const client = await findClient();

describe.skipIf(client === undefined)("MinIO's client (needs minio-client on PATH, or MC to name it)", () => {
  const { account } = useStore();
  let folder: string;
  /** The address holds no secret in the arguments: it goes through the environment. */
  const mc = async (...args: string[]): Promise<string> => {
    const { host } = new URL(account().endpoint);
    const address = `http://${credentials.accessKey}:${credentials.secretKey}@${host}`;
    const env = { ...process.env, MC_HOST_store: address, MC_CONFIG_DIR: join(folder, 'config') };
    return (await run(client!, ['--quiet', '--no-color', ...args], { env, maxBuffer: 64 << 20 })).stdout;
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kip-mc-'));
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  it('makes a bucket, copies, lists, shows, shares and removes', async () => {
    const file = join(folder, 'large file');
    const data = randomBytes(20 << 20);
    await writeFile(file, data);
    await writeFile(join(folder, 'small'), 'hello');
    await mc('mb', 'store/bucket');
    expect(await mc('ls', 'store')).toContain('bucket/');
    await mc('cp', file, join(folder, 'small'), 'store/bucket/dir ü/');
    expect(await mc('ls', '--recursive', 'store/bucket')).toMatch(/20MiB .*dir ü\/large file[\s\S]*5B .*dir ü\/small/);
    expect(await mc('cat', 'store/bucket/dir ü/small')).toBe('hello');
    expect(await mc('stat', 'store/bucket/dir ü/small')).toMatch(/ETag\s*: 5d41402abc4b2a76b9719d911017c592/);
    await mc('cp', 'store/bucket/dir ü/large file', join(folder, 'back'));
    expect((await readFile(join(folder, 'back'))).equals(data)).toBe(true);
    await mc('cp', 'store/bucket/dir ü/large file', 'store/bucket/copy');
    const url = /Share: (\S+)/.exec(await mc('share', 'download', 'store/bucket/dir ü/small'))![1]!;
    expect(await (await fetch(url)).text()).toBe('hello');
    await mc('rm', '--recursive', '--force', 'store/bucket/dir ü');
    expect((await mc('ls', '--recursive', 'store/bucket')).trim()).toMatch(/20MiB STANDARD copy$/);
    await mc('rb', '--force', 'store/bucket');
    expect(await mc('ls', 'store')).toBe('');
  }, 120_000);

  it('mirrors a folder there and back', async () => {
    const from = join(folder, 'from');
    const { mkdir } = await import('node:fs/promises');
    await mkdir(join(from, 'sub'), { recursive: true });
    for (const name of ['a', 'sub/b', 'sub/c d+e%']) await writeFile(join(from, name), name);
    await mc('mb', 'store/mirror');
    await mc('mirror', from, 'store/mirror');
    await mc('mirror', 'store/mirror', join(folder, 'to'));
    for (const name of ['a', 'sub/b', 'sub/c d+e%']) expect(await readFile(join(folder, 'to', name), 'utf8')).toBe(name);
    await rm(join(from, 'a'));
    await mc('mirror', '--remove', '--overwrite', from, 'store/mirror');
    expect(await mc('ls', '--recursive', 'store/mirror')).not.toMatch(/ a$/m);
  }, 120_000);
});
