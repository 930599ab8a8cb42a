import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { allows, isLike, parsePolicy } from './auth/policy.ts';
import { startObjectStore } from './object-store.ts';
import { md5, signedRequest, type Account, type RawRequest } from './test-client.fixture.ts';
import { credentials, useStore } from './test-store.fixture.ts';

const { account, store, folder } = useStore();
const denied = { status: 403, code: 'AccessDenied' };
const ownerOf = (bucket: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:*'], Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] },
      { Effect: 'Deny', Action: ['s3:DeleteBucket'], Resource: ['arn:aws:s3:::*'] },
    ],
  });

describe('a user with a policy for one bucket', () => {
  const user = (): Account => ({ endpoint: account().endpoint, accessKey: 'app-one', secretKey: 'secret-of-app-one' });
  const as = (who: Account, method: string, path: string, more: Partial<RawRequest> = {}) => signedRequest(who, { method, path, ...more });

  beforeAll(async () => {
    for (const bucket of ['one', 'one-more', 'two']) await as(account(), 'PUT', `/${bucket}`);
    await as(account(), 'PUT', '/two/secret', { body: 'of app two' });
    await store().identities.setPolicy('owner-of-one', ownerOf('one'));
    await store().identities.setUser('app-one', { secretKey: user().secretKey, policies: ['owner-of-one'] });
  });

  it('owns it', async () => {
    expect(await as(user(), 'PUT', '/one/a/b', { body: 'mine' })).toMatchObject({ status: 200 });
    expect((await as(user(), 'GET', '/one/a/b')).body.toString()).toBe('mine');
    expect(await as(user(), 'GET', '/one', { query: { 'list-type': '2' } })).toMatchObject({ status: 200 });
    expect(await as(user(), 'POST', '/one/m', { query: { uploads: '' } })).toMatchObject({ status: 200 });
    expect(await as(user(), 'DELETE', '/one/a/b')).toMatchObject({ status: 204 });
    expect(await as(user(), 'DELETE', '/one')).toMatchObject(denied);
  });

  it('sees no other', async () => {
    const { body } = await as(user(), 'GET', '/');
    expect([...body.toString().matchAll(/<Name>(.*?)<\/Name>/g)].map(([, name]) => name)).toEqual(['one']);
  });

  it.each<[string, string, Partial<RawRequest>]>([
    ['GET', '/two', { query: { 'list-type': '2' } }],
    ['GET', '/two', {}],
    ['GET', '/two', { query: { versions: '' } }],
    ['GET', '/two', { query: { uploads: '' } }],
    ['GET', '/two', { query: { location: '' } }],
    ['GET', '/two', { query: { policy: '' } }],
    ['HEAD', '/two', {}],
    ['DELETE', '/two', {}],
    ['PUT', '/three', {}],
    ['GET', '/two/secret', {}],
    ['HEAD', '/two/secret', {}],
    ['GET', '/two/secret', { query: { tagging: '' } }],
    ['GET', '/two/secret', { query: { acl: '' } }],
    ['GET', '/two/nothing', {}],
    ['GET', '/one-more/x', {}],
    ['PUT', '/two/mine', { body: 'x' }],
    ['PUT', '/two/secret', { query: { tagging: '' }, body: '<Tagging><TagSet/></Tagging>' }],
    ['DELETE', '/two/secret', {}],
    ['DELETE', '/two/secret', { query: { tagging: '' } }],
    ['POST', '/two/x', { query: { uploads: '' } }],
    ['PUT', '/one/stolen', { headers: { 'x-amz-copy-source': '/two/secret' } }],
    ['PUT', '/two/secret', { headers: { 'x-amz-copy-source': '/one/x' } }],
  ])('cannot %s %s %o', async (method, path, more) => {
    expect(await as(user(), method, path, more)).toMatchObject(method === 'HEAD' ? { status: 403 } : denied);
  });

  it('cannot delete many of another, nor take parts of them', async () => {
    const body = '<Delete><Object><Key>secret</Key></Object></Delete>';
    const answer = await as(user(), 'POST', '/two', { query: { delete: '' }, headers: { 'content-md5': md5(body) }, body });
    expect(answer.body.toString()).toContain('<Code>AccessDenied</Code>');
    const { body: started } = await as(user(), 'POST', '/one/m', { query: { uploads: '' } });
    const uploadId = /<UploadId>(.*?)</.exec(started.toString())![1]!;
    const headers = { 'x-amz-copy-source': '/two/secret' };
    expect(await as(user(), 'PUT', '/one/m', { query: { partNumber: '1', uploadId }, headers })).toMatchObject(denied);
    expect((await as(account(), 'GET', '/two/secret')).body.toString()).toBe('of app two');
  });

  it('is nobody once disabled or removed, at once', async () => {
    const { identities } = store();
    await identities.setUser('app-one', { enabled: false });
    expect(await as(user(), 'GET', '/')).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' });
    await identities.setUser('app-one', { enabled: true });
    expect(await as(user(), 'GET', '/')).toMatchObject({ status: 200 });
    await identities.setUser('app-one', { policies: [] });
    expect(await as(user(), 'GET', '/')).toMatchObject(denied);
    expect(await identities.removeUser('app-one')).toBe(true);
    expect(await as(user(), 'GET', '/')).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' });
    expect(await identities.removeUser('app-one')).toBe(false);
  });
});

it('keeps users in a file for its owner only, and has them after a restart', async () => {
  await store().identities.setUser('kept', { secretKey: 'kept-secret', policies: ['readonly'] });
  const file = join(folder(), 'identities', 'identities.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).toContain('kept-secret');
  await expect(startObjectStore({ dataDir: folder(), host: '127.0.0.1', port: 0, credentials })).rejects.toMatchObject({ code: 'locked' });
  expect(store().identities.user('kept')).toEqual({ accessKey: 'kept', secretKey: 'kept-secret', enabled: true, policies: ['readonly'] });
});

it('refuses users and policies that cannot be', async () => {
  const { identities } = store();
  await expect(identities.setUser('skipper', { secretKey: 'another-one' })).rejects.toThrow('administrator');
  await expect(identities.setUser('short', { secretKey: 'seven77' })).rejects.toThrow('8 characters');
  await expect(identities.setUser('a/b c', { secretKey: 'long-enough' })).rejects.toThrow('not valid');
  await expect(identities.setUser('nobody', { secretKey: 'long-enough', policies: ['none'] })).rejects.toThrow('no policy none');
  await expect(identities.setPolicy('p', '{"Statement":[{"Effect":"Maybe","Action":"s3:*","Resource":"*"}]}')).rejects.toThrow('Effect');
  expect(identities.user('__proto__')).toBeUndefined();
  expect(identities.secretOf('constructor')).toBeUndefined();
});

describe('a policy', () => {
  const may = (statements: object[], action: string, resource: string, values = {}) =>
    allows([parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }))], { action, resource, values }, 'me');

  it('allows what it says and denies before it allows', () => {
    const read = { Effect: 'Allow', Action: 's3:Get*', Resource: 'arn:aws:s3:::b/${aws:username}/*' };
    expect(may([read], 's3:GetObject', 'b/me/x')).toBe(true);
    expect(may([read], 's3:GetObject', 'b/you/x')).toBe(false);
    expect(may([read], 's3:PutObject', 'b/me/x')).toBe(false);
    expect(may([read, { Effect: 'Deny', Action: '*', Resource: 'arn:aws:s3:::b/me/secret*' }], 's3:GetObject', 'b/me/secret1')).toBe(false);
    expect(may([{ Effect: 'Allow', NotAction: 's3:Delete*', Resource: '*' }], 's3:DeleteObject', 'b/x')).toBe(false);
    expect(may([], 's3:GetObject', 'b/x')).toBe(false);
  });

  it('may hold to a prefix', () => {
    const list = {
      Effect: 'Allow',
      Action: 's3:ListBucket',
      Resource: 'arn:aws:s3:::b',
      Condition: { StringLike: { 's3:prefix': ['mine/*'] } },
    };
    expect(may([list], 's3:ListBucket', 'b', { 's3:prefix': 'mine/x' })).toBe(true);
    expect(may([list], 's3:ListBucket', 'b', { 's3:prefix': 'yours/' })).toBe(false);
    expect(may([list], 's3:ListBucket', 'b')).toBe(false);
  });

  it.each([
    { Effect: 'Allow', Action: 's3:*', Resource: '*', Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    { Effect: 'Allow', Action: 's3:*', Resource: '*', Condition: { StringEquals: { 'aws:SourceVpc': 'x' } } },
    { Effect: 'Allow', Action: 's3:*', Resource: '*', Principal: '*' },
    { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:sqs:::q' },
    { Effect: 'Allow', Resource: '*' },
    { Effect: 'Allow', Action: 's3:*' },
  ])('that is not understood is refused: %o', (statement) => {
    expect(() => may([statement], 's3:GetObject', 'b/x')).toThrow();
  });

  it('matches in a time that does not explode', () => {
    const started = process.cpuUsage();
    expect(isLike('a'.repeat(1000), `${'*a'.repeat(200)}*b`)).toBe(false);
    const { user } = process.cpuUsage(started);
    expect(user / 1000).toBeLessThan(500);
    expect([isLike('abc', 'a?c'), isLike('ac', 'a?c'), isLike('a/b', 'a*'), isLike('', '*'), isLike('a', '')]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});
