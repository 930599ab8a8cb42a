import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Grant, ServiceAccess } from '../engine.ts';
import { opensearchAccounts as accounts } from './accounts.ts';
import { opensearchApi } from './security-api.ts';
import { SecurityPlugin } from './security-plugin.fixture.ts';

// The plugin itself can be had from no package registry: what it answers is taken from its documentation.
let plugin: SecurityPlugin;
let access: ServiceAccess;
const api: Grant = { database: 'api_test', username: 'api_test_user', password: `p@ss:w/rd "'%\\ü0123456789` };
const other: Grant = { database: 'api_test2', username: 'other_user', password: 'Other0123456789' };

beforeEach(async () => {
  plugin = new SecurityPlugin();
  const server = await plugin.listen();
  access = {
    administrator: { username: 'skipper', password: 'Secret0123456789' },
    endpoint: async () => server,
    signal: AbortSignal.timeout(20_000),
  };
});
afterEach(() => plugin.close());

const headStatus = async (grant: Grant, index: string): Promise<number> =>
  (await (await opensearchApi(access, grant)).request('HEAD', [index])).status;

describe('a grant', () => {
  it('makes an account that logs in and reaches its own indices and no others', async () => {
    await accounts.grant(access, api);
    await accounts.grant(access, other);
    await accounts.verify(access, api);
    await accounts.verify(access, other);
    expect(await headStatus(api, 'api_test-orders')).toBe(404);
    for (const index of ['api_test2-orders', 'api_test', 'api_test2', 'other', '.opendistro_security', '*', '_all'])
      expect(await headStatus(api, index), index).toBe(403);
  });
  it('gives no right over more than its own indices', async () => {
    await accounts.grant(access, api);
    const role = plugin.objects['roles']![api.username]!;
    expect((role['index_permissions'] as { index_patterns: string[] }[]).map(({ index_patterns }) => index_patterns)).toEqual([
      ['api_test-*'],
    ]);
    const cluster = role['cluster_permissions'] as string[];
    for (const tooMuch of [
      '*',
      'cluster:*',
      'cluster_all',
      'cluster_monitor',
      'unlimited',
      'manage_snapshots',
      'cluster_manage_index_templates',
      // By `_all` it ends the scrolls of everybody.
      'indices:data/read/scroll/clear',
    ])
      expect(cluster).not.toContain(tooMuch);
    const actions = (role['index_permissions'] as { allowed_actions: string[] }[])[0]!.allowed_actions;
    const ofIndices = ['*', 'resize', 'shrink', 'rollover'].map((action) => `indices:admin/${action}`);
    for (const tooMuch of ['*', 'indices:*', 'indices_all', 'manage', ...ofIndices]) expect(actions).not.toContain(tooMuch);
    const ofAliases = actions.filter((action) => action.includes('alias'));
    expect(ofAliases).toEqual(['indices:admin/aliases/get', 'indices:admin/aliases/exists']);
  });
  it('changes nothing when nothing is to be changed', async () => {
    await accounts.grant(access, api);
    plugin.changes.length = 0;
    await accounts.grant(access, api);
    expect(plugin.changes).toEqual([]);
  });
  it('sets right what was changed by hand', async () => {
    await accounts.grant(access, api);
    const { internalusers, roles, rolesmapping } = plugin.objects as Record<string, Record<string, Record<string, unknown>>>;
    const wanted = structuredClone(plugin.objects);
    Object.assign(internalusers![api.username]!, {
      password: 'another password',
      opendistro_security_roles: ['all_access'],
      backend_roles: ['admin'],
    });
    Object.assign(roles![api.username]!, { cluster_permissions: ['*'] });
    Object.assign(rolesmapping![api.username]!, { users: [api.username, 'somebody'], backend_roles: ['everybody'] });
    (rolesmapping!['all_access']!['users'] as string[]).push(api.username);
    await accounts.grant(access, api);
    expect(plugin.objects).toEqual(wanted);
    await accounts.verify(access, api);
  });
  it('makes again what was removed by hand, and sets a new password', async () => {
    await accounts.grant(access, api);
    delete plugin.objects['roles']![api.username];
    await accounts.grant(access, { ...api, password: 'New-password-0123456789' });
    await expect(accounts.verify(access, api)).rejects.toThrow('does not let user "api_test_user" log in');
    await accounts.verify(access, { ...api, password: 'New-password-0123456789' });
  });
  it.each([1, 2, 3])('that is cut off at its change number %i goes on the next time', async (change) => {
    await accounts.grant(access, api);
    const whole = structuredClone(plugin.objects);
    await accounts.revoke(access, api);
    plugin.dropChange = change;
    await expect(accounts.grant(access, api)).rejects.toThrow();
    await expect(accounts.verify(access, api)).rejects.toThrow();
    await accounts.grant(access, api);
    expect(plugin.objects).toEqual(whole);
  });
  it.each(['skipper', 'admin'])('is never the user %s', async (username) => {
    await expect(accounts.grant(access, { ...api, username })).rejects.toThrow("is not an app's");
    await expect(accounts.revoke(access, { ...api, username })).rejects.toThrow("is not an app's");
    expect(plugin.changes).toEqual([]);
  });
});

describe('verifying', () => {
  it('fails without the role', async () => {
    await accounts.grant(access, api);
    plugin.objects['rolesmapping']![api.username]!['users'] = [];
    await expect(accounts.verify(access, api)).rejects.toThrow('does not reach the indices "api_test-*"');
  });
  it('fails with a wrong password, and shows it in no message', async () => {
    await accounts.grant(access, api);
    const error = await accounts.verify(access, { ...api, password: 'wrong-password' }).catch((reason: Error) => reason);
    expect(String(error)).toContain('does not let user');
    expect(String(error)).not.toContain('wrong-password');
  });
});

describe('revoking', () => {
  it('removes user, role and every mapping, and leaves others alone', async () => {
    await accounts.grant(access, other);
    const before = structuredClone(plugin.objects);
    await accounts.grant(access, api);
    (plugin.objects['rolesmapping']!['all_access']!['users'] as string[]).push(api.username);
    await accounts.revoke(access, api);
    expect(plugin.objects).toEqual(before);
    await accounts.revoke(access, api);
  });
});

describe('an OpenSearch that has no accounts to give', () => {
  it('is one with its security plugin disabled', async () => {
    plugin.disabled = true;
    await expect(accounts.grant(access, api)).rejects.toThrow('runs with its security plugin disabled, so it has no accounts');
  });
  it('is one that has not read its users yet', async () => {
    plugin.starting = true;
    await expect(accounts.grant(access, api)).rejects.toThrow('not ready: it answers 503');
  });
  it('is one with another administrator', async () => {
    const stranger = { ...access, administrator: { username: 'skipper', password: 'other' } };
    await expect(accounts.grant(stranger, api)).rejects.toThrow('refuses the password of its administrator "skipper"');
  });
  it('is one that refuses: the reason is passed on', async () => {
    await expect(accounts.grant(access, { ...api, password: 'short' })).rejects.toThrow('Password is too short');
  });
});

describe('the prefix of an app', () => {
  it.each(['api', 'domain_service_test', 'a1'])('can be %s', (name) => expect(accounts.refusesDatabase(name)).toBeUndefined());
  it.each(['', 'Api', 'a-b', 'a*', '.opendistro_security', '_all', 'security', 'top_queries', 'a,b', 'a'.repeat(101)])(
    'cannot be %j',
    (name) => expect(accounts.refusesDatabase(name)).toBeTruthy(),
  );
  it('is one that is allowed, whatever the app is called', () => {
    for (const name of ['api', 'security', 'a'.repeat(200)])
      expect(accounts.refusesDatabase(accounts.defaultDatabase(name))).toBeUndefined();
  });
});
