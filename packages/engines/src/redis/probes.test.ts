import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { enginesDir, ProcessPod } from '../contract/process-pod.ts';
import { redis } from './definition.ts';
import { findRedis } from './programs.ts';

let pod: ProcessPod | undefined;
afterEach(() => pod?.destroy());

/** A probe as a container's runtime runs it. */
async function exitCode(which: 'readinessProbe' | 'livenessProbe', { ip, password }: ProcessPod): Promise<number | null> {
  const [file = '', ...args] = redis.container({ version: '8', credentialsSecret: '' })[which]?.exec?.command ?? [];
  const { folder, env } = (await findRedis(enginesDir))!;
  return spawnSync(
    file,
    args.map((arg) => arg.replaceAll('127.0.0.1', ip)),
    { env: { ...env, PATH: `${folder}:${process.env['PATH']}`, REDIS_USERNAME: 'skipper', REDISCLI_AUTH: password } },
  ).status;
}

it('calls a server that has no place for one more client alive, and one that is gone dead', async () => {
  pod = await ProcessPod.create(redis);
  await pod.start();
  expect(await exitCode('livenessProbe', pod)).toBe(0);
  expect(await exitCode('readinessProbe', pod)).toBe(0);
  const client = new Redis(pod.uri);
  try {
    await client.call('CONFIG', 'SET', 'maxclients', '1');
    expect(await exitCode('livenessProbe', pod)).toBe(0);
    expect(await pod.probe('livenessProbe')).toBe(0);
    expect(await exitCode('readinessProbe', pod)).not.toBe(0);
  } finally {
    client.disconnect();
  }
  await pod.stop();
  expect(await exitCode('livenessProbe', pod)).not.toBe(0);
  expect(await pod.probe('livenessProbe')).not.toBe(0);
});

it('calls a server alive that answers, whatever it refuses', async () => {
  pod = await ProcessPod.create(redis);
  await pod.start();
  const client = new Redis(pod.uri);
  await client.call('ACL', 'SETUSER', 'skipper', 'resetpass', '>another');
  client.disconnect();
  expect(await exitCode('livenessProbe', pod)).toBe(0);
});
