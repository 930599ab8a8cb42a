import { isDeepStrictEqual } from 'node:util';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { administrator, type Accounts, type Grant, type ServiceAccess } from '../engine.ts';
import { opensearchApi, SecurityApi } from './security-api.ts';

const names: DatabaseNames = {
  what: 'a prefix of indices',
  // An index's name has 255 bytes at most.
  limit: 100,
  // Plugins write to `security-auditlog-*` and `top_queries-*`.
  reserved: ['security', 'top_queries'],
};

/** What an app's indices and data streams begin with. A database's name has no "-", so no prefix begins with another. */
export const indexPrefix = (database: string): string => `${database}-`;

/**
 * Requests that name several indices or none, whose parts are then checked one by one, and the greeting that clients begin with.
 * What would show other apps' indices, queries or settings is left out: cluster state and health, tasks, templates, pipelines and
 * snapshots. So is ending scrolls, which by `_all` ends everybody's; they end by their timeout.
 * https://docs.opensearch.org/latest/security/access-control/permissions/
 */
const clusterPermissions = ['cluster_composite_ops', 'cluster:monitor/main'];

/**
 * All that an index's owner does, but for shrink, split and clone, which take what another index holds, for making and removing aliases,
 * and for rolling over: the plugin checks the index or the alias alone that it begins with, and what is made of it could be another app's.
 */
const indexPermissions = [
  'crud',
  'create_index',
  'indices:admin/aliases/get',
  'indices:admin/aliases/exists',
  'manage_data_streams',
  'manage_point_in_time',
  'indices_monitor',
  ...['analyze', 'auto_create', 'block/*', 'cache/clear*', 'close*', 'delete', 'exists*', 'flush*', 'forcemerge*', 'get*'].map(
    (action) => `indices:admin/${action}`,
  ),
  ...['mapping/*', 'mappings/*', 'open*', 'refresh*', 'settings/*', 'types/exists', 'validate/query*'].map(
    (action) => `indices:admin/${action}`,
  ),
];

/** An account is an internal user with a role of its own name, mapped to it and to nobody else. */
export const opensearchAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, grant) {
    const { database, username, password } = grant;
    requireAppUser(username);
    const api = await SecurityApi.open(access);
    await dropStrayMappings(api, username);
    await ensure(api, 'roles', username, {
      cluster_permissions: clusterPermissions,
      index_permissions: [
        { index_patterns: [`${indexPrefix(database)}*`], dls: '', fls: [], masked_fields: [], allowed_actions: indexPermissions },
      ],
      tenant_permissions: [],
    });
    await ensure(api, 'rolesmapping', username, { users: [username], backend_roles: [], and_backend_roles: [], hosts: [] });
    const user = { backend_roles: [], opendistro_security_roles: [], attributes: {} };
    const existing = await api.get('internalusers', username);
    // The hash cannot be compared, and a password that is set again ends what the plugin has cached of everybody.
    if (existing && holds(existing, user) && (await logsIn(access, grant))) return;
    await api.put('internalusers', username, { ...user, password });
  },

  async verify(access, grant) {
    if (!(await logsIn(access, grant))) throw new Error(`OpenSearch does not let user "${grant.username}" log in with its password.`);
    const api = await opensearchApi(access, grant);
    const index = `${indexPrefix(grant.database)}login`;
    const { status } = await api.request('HEAD', [index]);
    // There need be no such index: who may not ask is told 403.
    if (status !== 200 && status !== 404)
      throw new Error(
        `User "${grant.username}" does not reach the indices "${indexPrefix(grant.database)}*" of OpenSearch: it answers ${status}.`,
      );
  },

  async revoke(access, { username }) {
    requireAppUser(username);
    const api = await SecurityApi.open(access);
    // First what lets it in: each request is checked anew, so there is no session to end.
    await api.delete('internalusers', username);
    await dropStrayMappings(api, username);
    await api.delete('rolesmapping', username);
    await api.delete('roles', username);
  },
};

async function logsIn(access: ServiceAccess, { username, password }: Grant): Promise<boolean> {
  const api = await opensearchApi(access, { username, password });
  const { status, body } = await api.request('GET', ['_plugins', '_security', 'authinfo']);
  return status === 200 && (body as { user_name?: unknown }).user_name === username;
}

async function ensure(api: SecurityApi, kind: 'roles' | 'rolesmapping', name: string, wanted: Record<string, unknown>): Promise<void> {
  const existing = await api.get(kind, name);
  if (!existing || !holds(existing, wanted)) await api.put(kind, name, wanted);
}

/** Whether the fields are those that are wanted; a field that is not there is an empty one. */
function holds(existing: Record<string, unknown>, wanted: Record<string, unknown>): boolean {
  return Object.entries(wanted).every(([field, value]) => isDeepStrictEqual(existing[field] ?? emptyLike(value), value));
}

function emptyLike(value: unknown): unknown {
  return Array.isArray(value) ? [] : {};
}

/** Whatever other role was given to the user by hand. */
async function dropStrayMappings(api: SecurityApi, username: string): Promise<void> {
  for (const [role, mapping] of Object.entries(await api.list('rolesmapping'))) {
    const users = (mapping['users'] ?? []) as string[];
    if (role === username || !users.includes(username)) continue;
    await api.patch('rolesmapping', role, [{ op: 'replace', path: '/users', value: users.filter((user) => user !== username) }]);
  }
}

/** @throws for users that no app can have. */
function requireAppUser(username: string): void {
  if ([administrator, 'admin', 'kibanaserver'].includes(username)) throw new Error(`The user "${username}" is not an app's.`);
}
