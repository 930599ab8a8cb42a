import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startObjectStore, type ObjectStore } from '../object-store.ts';
import { adminApi } from './admin-api.ts';
import { openBody, sealBody } from './sealed-body.ts';

const root = { accessKey: 'skipper', secretKey: 'Root0123456789' };
const policy = (...actions: string[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: ['arn:aws:s3:::*'] }] });

describe("MinIO's admin API", () => {
  let folder: string;
  let store: ObjectStore;
  const start = async (): Promise<void> => {
    store = await startObjectStore({ dataDir: folder, host: '127.0.0.1', port: 0, credentials: root, extensions: [adminApi] });
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skipper-admin-'));
    await start();
  });
  afterAll(async () => {
    await store?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function ask(call: string, body?: string | Buffer, { accessKey, secretKey } = root): Promise<{ status: number; body: Buffer }> {
    const [method = '', path = ''] = call.split(' ');
    const client = new AwsClient({ accessKeyId: accessKey, secretAccessKey: secretKey, service: 's3', region: 'us-east-1', retries: 0 });
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const response = await client.fetch(`${store.endpoint}/minio/admin/v3/${path}`, {
      method,
      headers: { 'x-amz-content-sha256': hash },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
  }
  const json = async (call: string, as = root): Promise<Record<string, unknown>> =>
    JSON.parse((await ask(call, undefined, as)).body.toString());
  const addUser = async (accessKey: string, user: object, secret = root.secretKey): Promise<{ status: number; body: Buffer }> =>
    ask(`PUT add-user?accessKey=${accessKey}`, await sealBody(secret, JSON.stringify(user)));
  const code = ({ body }: { body: Buffer }): string => JSON.parse(body.toString()).Code;

  it('makes, shows, disables and removes a user', async () => {
    expect((await addUser('anna', { secretKey: 'Anna0123456789', status: 'enabled' })).status).toBe(200);
    expect(await json('GET user-info?accessKey=anna')).toEqual({ status: 'enabled' });
    expect((await ask('PUT set-user-status?accessKey=anna&status=disabled')).status).toBe(200);
    const listed = await ask('GET list-users');
    expect(JSON.parse((await openBody(root.secretKey, listed.body)).toString())).toEqual({ anna: { status: 'disabled' } });
    expect((await ask('DELETE remove-user?accessKey=anna')).status).toBe(200);
    expect(await json('GET user-info?accessKey=anna')).toMatchObject({ Code: 'XMinioAdminNoSuchUser' });
    expect(code(await ask('DELETE remove-user?accessKey=anna'))).toBe('XMinioAdminNoSuchUser');
  });

  it('gives a user policies, which are kept when the secret changes and over a restart', async () => {
    await ask('PUT add-canned-policy?name=reads', policy('s3:GetObject'));
    await addUser('bert', { secretKey: 'Bert0123456789', status: 'enabled' });
    expect((await ask('PUT set-user-or-group-policy?policyName=reads&userOrGroup=bert&isGroup=false')).status).toBe(200);
    await addUser('bert', { secretKey: 'Other0123456789', status: 'enabled' });
    await store.close();
    await start();
    expect(await json('GET user-info?accessKey=bert')).toEqual({ policyName: 'reads', status: 'enabled' });
    expect(await json('GET info-canned-policy?name=reads')).toEqual(JSON.parse(policy('s3:GetObject')));
    expect(Object.keys(await json('GET list-canned-policies'))).toEqual(expect.arrayContaining(['reads', 'readwrite']));
    expect(code(await ask('DELETE remove-canned-policy?name=reads'))).toBe('XMinioIAMPolicyInUse');
    await ask('DELETE remove-user?accessKey=bert');
    expect((await ask('DELETE remove-canned-policy?name=reads')).status).toBe(200);
    expect(code(await ask('GET info-canned-policy?name=reads'))).toBe('XMinioAdminNoSuchPolicy');
  });

  it('attaches and detaches policies', async () => {
    await addUser('cora', { secretKey: 'Cora0123456789', status: 'enabled' });
    const change = async (verb: string, policies: string[]): Promise<{ status: number; body: Buffer }> =>
      ask(`POST idp/builtin/policy/${verb}`, await sealBody(root.secretKey, JSON.stringify({ policies, user: 'cora' })));
    const attached = await change('attach', ['readonly', 'writeonly']);
    expect(JSON.parse((await openBody(root.secretKey, attached.body)).toString())).toMatchObject({
      policiesAttached: ['readonly', 'writeonly'],
    });
    expect(code(await change('attach', ['readonly']))).toBe('XMinioAdminPolicyChangeAlreadyApplied');
    expect((await change('detach', ['readonly'])).status).toBe(200);
    expect(await json('GET user-info?accessKey=cora')).toEqual({ policyName: 'writeonly', status: 'enabled' });
  });

  it.each([
    ['a short access key', 'ab', { secretKey: 'Long0123456789' }, 'XMinioAdminInvalidAccessKey'],
    ['an access key with a comma', 'a,b', { secretKey: 'Long0123456789' }, 'XMinioAdminInvalidAccessKey'],
    ['a short secret', 'dora', { secretKey: '1234567' }, 'XMinioAdminInvalidSecretKey'],
    ['a policy that there is not', 'dora', { secretKey: 'Long0123456789', policy: 'none' }, 'XMinioAdminNoSuchPolicy'],
    ['a status that there is not', 'dora', { secretKey: 'Long0123456789', status: 'maybe' }, 'XMinioAdminInvalidArgument'],
    ['the name of the administrator', 'skipper', { secretKey: 'Long0123456789' }, 'XMinioInvalidIAMCredentials'],
  ])('refuses %s', async (_what, accessKey, user, expected) => {
    expect(code(await addUser(encodeURIComponent(accessKey), user))).toBe(expected);
    expect(await json('GET user-info?accessKey=dora')).toMatchObject({ Code: 'XMinioAdminNoSuchUser' });
  });

  it('refuses bodies that are not sealed, or not with the secret of the caller', async () => {
    const user = JSON.stringify({ secretKey: 'Long0123456789' });
    expect(code(await ask('PUT add-user?accessKey=emil', user))).toBe('XMinioAdminConfigBadJSON');
    expect(code(await addUser('emil', { secretKey: 'Long0123456789' }, 'another'))).toBe('XMinioAdminConfigBadJSON');
    expect(code(await ask('PUT add-user?accessKey=emil', await sealBody(root.secretKey, 'no JSON')))).toBe('XMinioAdminConfigBadJSON');
  });

  it('refuses policies that it does not understand', async () => {
    for (const document of ['{', '{"Statement":[{"Effect":"Maybe"}]}', policy('s3:*').replace('"Effect"', '"Conditions":{},"Effect"')])
      expect(code(await ask('PUT add-canned-policy?name=odd', document))).toBe('XMinioMalformedIAMPolicy');
  });

  it('says so when it has no such call', async () => {
    expect(await ask('GET heal')).toMatchObject({ status: 426 });
  });

  it('lets nobody in without the right, whatever is called', async () => {
    const fred = { accessKey: 'fred', secretKey: 'Fred0123456789' };
    await addUser('fred', { secretKey: fred.secretKey, policy: 'readwrite' });
    const calls = ['GET list-users', 'GET info', 'GET user-info?accessKey=fred', 'DELETE remove-user?accessKey=fred', 'GET heal'];
    for (const call of calls) expect(code(await ask(call, undefined, fred))).toBe('AccessDenied');
    expect((await ask('GET info', undefined, { accessKey: 'nobody', secretKey: 'x' })).status).toBe(403);
    expect((await fetch(`${store.endpoint}/minio/admin/v3/info`)).status).toBe(403);
  });

  it('is no longer open to a user whose right was taken', async () => {
    const gerd = { accessKey: 'gerd', secretKey: 'Gerd0123456789' };
    await addUser('gerd', { secretKey: gerd.secretKey, policy: 'consoleAdmin' });
    expect((await ask('GET info', undefined, gerd)).status).toBe(200);
    await ask('PUT set-user-or-group-policy?policyName=readonly&userOrGroup=gerd&isGroup=false');
    expect(code(await ask('GET info', undefined, gerd))).toBe('AccessDenied');
  });

  it('takes no signed link for a call', async () => {
    const client = new AwsClient({ accessKeyId: root.accessKey, secretAccessKey: root.secretKey, service: 's3', region: 'us-east-1' });
    const link = await client.sign(`${store.endpoint}/minio/admin/v3/info`, { aws: { signQuery: true } });
    expect((await fetch(link.url)).status).toBe(403);
  });

  it('refuses a body that is too long', async () => {
    expect(code(await ask('PUT add-canned-policy?name=long', Buffer.alloc(300_000, ' ')))).toBe('XMinioAdminInvalidArgument');
  });
});
