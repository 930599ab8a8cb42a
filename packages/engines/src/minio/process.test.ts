import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { minioDriver } from '../contract/drivers/minio.ts';
import { ProcessPod } from '../contract/process-pod.ts';
import { minio } from './definition.ts';

/** MinIO's own program, as MINIO names it. */
const program = process.env['MINIO'];

describe('the process of MinIO', () => {
  const path = process.env['PATH'];
  let pod: ProcessPod | undefined;
  afterEach(async () => {
    process.env['PATH'] = path;
    await pod?.destroy();
  });

  it('says what is missing when the volume was written by MinIO and there is none', async () => {
    pod = await ProcessPod.create(minio);
    await mkdir(`${pod.hostPath('/data')}/.minio.sys`);
    await expect(pod.start()).rejects.toMatchObject({ code: 'engine-unavailable', message: expect.stringContaining('written by MinIO') });
  });

  it.skipIf(!program)('keeps a volume with the server that first wrote to it', async () => {
    pod = await ProcessPod.create(minio);
    await pod.start();
    await minioDriver.write(pod.uri, 'ours');
    await pod.stop();
    process.env['PATH'] = `${dirname(program!)}:${path}`;
    await pod.start();
    expect(await minioDriver.read(pod.uri)).toBe('ours');
    expect(pod.argumentLists.at(-1)).toContain('object-store');
  });

  it.skipIf(!program)('is MinIO itself where that is installed', async () => {
    process.env['PATH'] = `${dirname(program!)}:${path}`;
    pod = await ProcessPod.create(minio);
    await pod.start();
    expect(pod.argumentLists.at(-1)).toMatch(/minio server/);
    await minioDriver.write(pod.uri, 'kept');
    await pod.stop();
    expect(pod.output).not.toContain(pod.password);
    process.env['PATH'] = path;
    await expect(pod.start()).rejects.toMatchObject({ code: 'engine-unavailable' });
  });
});
