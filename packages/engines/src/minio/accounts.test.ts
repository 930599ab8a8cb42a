import { dirname } from 'node:path';
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3Client } from '../contract/drivers/minio.ts';
import { ProcessPod } from '../contract/process-pod.ts';
import { administrator, type Grant, type ServiceAccess } from '../engine.ts';
import { minioAccounts } from './accounts.ts';
import { assumeRole, attackNames, attacksOf, refusal } from './attacks.fixture.ts';
import { minio } from './definition.ts';
import { StoreClient } from './store-client.ts';

const { grant, revoke, verify } = minioAccounts;
const mine: Grant = { database: 'mine-test', username: 'mine_test', password: 'MineSecret0123456789' };
const theirs: Grant = { database: 'theirs-test', username: 'theirs_test', password: 'TheirSecret0123456789' };

/** The program that MINIO names, and what is taken when there is none on PATH. */
const servers = [['our own server', ''], ...(process.env['MINIO'] ? [['MinIO', dirname(process.env['MINIO'])] as const] : [])] as const;

describe.each(servers)('accounts on %s', (_name, folder) => {
  const path = process.env['PATH'];
  let pod: ProcessPod;
  let access: ServiceAccess;
  let root: S3Client;
  let app: S3Client;
  const admin = (account: { username: string; password: string }): StoreClient =>
    new StoreClient({ host: pod.ip, port: 9000, ...account, signal: AbortSignal.timeout(20_000) });
  const client = (account: { username: string; password: string }): S3Client =>
    s3Client(minio.uri({ host: pod.ip, port: 9000, ...account }));

  beforeAll(async () => {
    if (folder !== '') process.env['PATH'] = `${folder}:${path}`;
    pod = await ProcessPod.create(minio);
    await pod.start();
    access = {
      administrator: { username: administrator, password: pod.password },
      endpoint: async () => ({ host: pod.ip, port: 9000 }),
      get signal() {
        return AbortSignal.timeout(20_000);
      },
    };
    root = client(access.administrator);
    app = client(mine);
    await grant(access, mine);
    await grant(access, theirs);
    await put(client(theirs), theirs.database, 'secret', 'of the others');
  });
  afterAll(async () => {
    process.env['PATH'] = path;
    await pod?.destroy();
  });

  it('lets an app own its bucket', async () => {
    await verify(access, mine);
    await put(app, mine.database, 'a/b', 'kept');
    expect(await get(app, mine.database, 'a/b')).toBe('kept');
    expect((await app.send(new ListObjectsV2Command({ Bucket: mine.database }))).Contents?.map(({ Key }) => Key)).toEqual(['a/b']);
  });

  it('leaves nothing in the bucket by verifying', async () => {
    await grant(access, { ...mine, database: 'verified', username: 'verified' });
    await verify(access, { ...mine, database: 'verified', username: 'verified' });
    expect((await root.send(new ListObjectsV2Command({ Bucket: 'verified' }))).KeyCount).toBe(0);
    expect((await root.send(new ListMultipartUploadsCommand({ Bucket: 'verified' }))).Uploads ?? []).toEqual([]);
    await revoke(access, { username: 'verified', database: 'verified' });
  });

  it('shows an app no bucket but its own', async () => {
    expect((await app.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([mine.database]);
  });

  const Bucket = theirs.database;
  const Key = 'secret';

  it.each(attackNames)('does not let an app %s', async (name) => {
    await put(client(theirs), Bucket, Key, 'of the others');
    await expect(attacksOf({ ip: pod.ip, mine, theirs, Bucket, Key })[name]()).rejects.toThrow(refusal);
    expect(await get(root, Bucket, Key)).toBe('of the others');
    await verify(access, mine);
    await verify(access, theirs);
  });

  it('takes back rights that were given by hand, and gives back those that were taken', async () => {
    const byHand = admin(access.administrator);
    const read = (): Promise<string> => get(app, Bucket, Key);
    await byHand.admin('set-user-or-group-policy', {
      method: 'PUT',
      query: { policyName: `readwrite,app-${mine.username}`, userOrGroup: mine.username, isGroup: 'false' },
    });
    await byHand.admin('add-canned-policy', { method: 'PUT', query: { name: `app-${theirs.username}` }, body: readOnly(theirs.database) });
    await byHand.admin('set-user-status', { method: 'PUT', query: { accessKey: mine.username, status: 'disabled' } });
    await expect(verify(access, theirs)).rejects.toThrow(/denied/i);
    await expect(verify(access, mine)).rejects.toThrow(/disabled|does not exist/i);
    await grant(access, mine);
    await grant(access, theirs);
    await verify(access, mine);
    await verify(access, theirs);
    await expect(read()).rejects.toThrow(/denied/i);
  });

  it('ends what was signed in with an old password', async () => {
    const renewed = { ...mine, password: 'Renewed0123456789' };
    await grant(access, renewed);
    await verify(access, renewed);
    await expect(verify(access, mine)).rejects.toThrow(/signature/i);
    await grant(access, mine);
    await verify(access, mine);
  });

  it('removes an account and keeps its data for the next', async () => {
    const leaving: Grant = { database: 'leaving', username: 'leaving', password: 'Leaving0123456789' };
    await grant(access, leaving);
    await put(client(leaving), 'leaving', 'a', 'left behind');
    await revoke(access, leaving);
    await expect(verify(access, leaving)).rejects.toThrow(/does not exist/i);
    await revoke(access, leaving);
    await grant(access, leaving);
    expect(await get(client(leaving), 'leaving', 'a')).toBe('left behind');
  });

  it('fails to verify a bucket that is gone', async () => {
    const lost: Grant = { database: 'lost-bucket', username: 'lost_bucket', password: 'Lost0123456789' };
    await grant(access, lost);
    await root.send(new DeleteBucketCommand({ Bucket: lost.database }));
    await expect(verify(access, lost)).rejects.toThrow(/bucket/i);
    await grant(access, lost);
    await verify(access, lost);
  });

  it('goes on where it was cut off', async () => {
    for (const afterMs of [1, 10, 30, 80, 200]) {
      const cutOff = { ...access, signal: AbortSignal.timeout(afterMs) };
      await grant(cutOff, { ...mine, password: `Another${afterMs}0123456789` }).catch(() => undefined);
      await revoke({ ...access, signal: AbortSignal.timeout(afterMs) }, mine).catch(() => undefined);
    }
    await grant(access, mine);
    await verify(access, mine);
  });

  it('serves many callers at once', async () => {
    await Promise.all([1, 2, 3].flatMap(() => [grant(access, mine), grant(access, theirs)]));
    await verify(access, mine);
    await verify(access, theirs);
  });

  it('takes every password that MinIO may have, by URI as well', async () => {
    const printable = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 8,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(printable, async (password) => {
        const account = { database: 'passwords', username: 'passwords', password };
        await grant(access, account);
        await verify(access, account);
        await put(client(account), account.database, 'a', 'by URI');
      }),
      { numRuns: 5, examples: [[`:/?#[]@!$&'()*+,;=% "\\<>^\`{|}~`], ['%41%41%41%'], ['        ']], endOnFailure: true },
    );
  });

  it('says no secret when it fails', async () => {
    const password = 'Unmistakable0123456789';
    const error: unknown = await verify(access, { ...mine, password }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(password);
  });

  it('touches no account of the administrator', async () => {
    await expect(grant(access, { ...mine, username: administrator })).rejects.toThrow(/not an app's/);
    await expect(revoke(access, { ...mine, username: administrator })).rejects.toThrow(/not an app's/);
  });

  it('says so when the server is not reached', async () => {
    const unreached: ServiceAccess = { ...access, endpoint: async () => ({ host: pod.ip, port: 1 }), signal: AbortSignal.timeout(5_000) };
    await expect(grant(unreached, mine)).rejects.toThrow();
    await expect(verify(unreached, mine)).rejects.toThrow();
  });

  it('shows no password in the log', () => {
    for (const { password } of [mine, theirs]) expect(pod.output).not.toContain(password);
  });

  if (folder !== '')
    it('closes a bucket that its app opened to everybody', async () => {
      const leaving: Grant = { database: 'opened', username: 'opened', password: 'Opened0123456789' };
      const everybody = { Effect: 'Allow', Principal: { AWS: ['*'] }, Action: ['s3:*'], Resource: ['arn:aws:s3:::opened/*'] };
      const reads = async (): Promise<boolean> => (await fetch(`http://${pod.ip}:9000/opened/a`)).ok;
      await grant(access, leaving);
      await put(client(leaving), 'opened', 'a', 'left behind');
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [everybody] });
      await client(leaving).send(new PutBucketPolicyCommand({ Bucket: 'opened', Policy }));
      expect(await reads()).toBe(true);
      await revoke(access, leaving);
      expect(await reads()).toBe(false);
      await revoke(access, leaving);
      await root.send(new DeleteObjectCommand({ Bucket: 'opened', Key: 'a' }));
      await root.send(new DeleteBucketCommand({ Bucket: 'opened' }));
      await revoke(access, leaving);
    });
  if (folder !== '')
    it('ends keys that were made of an old password', async () => {
      const temporary = await assumeRole(pod.ip, mine);
      const reads = async (): Promise<boolean> => (await temporary.fetch(`http://${pod.ip}:9000/${mine.database}?list-type=2`)).ok;
      expect(await reads()).toBe(true);
      await grant(access, { ...mine, password: 'Renewed0123456789' });
      expect(await reads()).toBe(false);
      await revoke(access, mine);
      await grant(access, mine);
      expect(await reads()).toBe(false);
    });
});

const readOnly = (bucket: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] },
    ],
  });

const put = (client: S3Client, Bucket: string, Key: string, Body: string): Promise<unknown> =>
  client.send(new PutObjectCommand({ Bucket, Key, Body }));

async function get(client: S3Client, Bucket: string, Key: string): Promise<string> {
  return (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
}
