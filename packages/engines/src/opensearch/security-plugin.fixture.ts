import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

type Entity = Record<string, unknown>;

/** Fields of each kind's body. https://docs.opensearch.org/latest/security/access-control/api/ */
const fields: Record<string, Record<string, 'string' | 'strings' | 'object' | 'objects'>> = {
  internalusers: {
    password: 'string',
    hash: 'string',
    backend_roles: 'strings',
    opendistro_security_roles: 'strings',
    attributes: 'object',
    description: 'string',
  },
  roles: { cluster_permissions: 'strings', index_permissions: 'objects', tenant_permissions: 'objects', description: 'string' },
  rolesmapping: { users: 'strings', backend_roles: 'strings', and_backend_roles: 'strings', hosts: 'strings', description: 'string' },
};
const indexPermissionFields = ['index_patterns', 'dls', 'fls', 'masked_fields', 'allowed_actions'];
const shortestPassword = 8;

/**
 * Answers as OpenSearch with its security plugin does, by the plugin's documentation: basic authentication, the REST API for users,
 * roles and mappings with strict bodies, and requests for one index, which are allowed by the patterns and actions of the user's roles.
 */
export class SecurityPlugin {
  readonly objects: Record<string, Record<string, Entity>> = {
    internalusers: { skipper: { reserved: true, password: 'Secret0123456789' } },
    roles: { all_access: { reserved: true, static: true } },
    rolesmapping: { all_access: { reserved: false, users: ['skipper'], backend_roles: [], hosts: [] } },
  };
  /** Method and path of everything that changed something. */
  readonly changes: string[] = [];
  /** As with `plugins.security.disabled`. */
  disabled = false;
  /** Before the plugin has its configuration. */
  starting = false;
  /** Which of the coming changes, counted from 1, gets no answer and is not made. */
  dropChange = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<{ host: string; port: number }> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request;
    const parts = (request.url ?? '').slice(1).split('/').map(decodeURIComponent);
    const say = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(method === 'HEAD' ? undefined : JSON.stringify(body));
    };
    if (this.starting) return say(503, 'OpenSearch Security not initialized.');
    if (this.disabled && parts[0] === '_plugins')
      return say(400, { error: `no handler found for uri [${request.url}] and method [${method}]` });
    const user = this.#userOf(request);
    if (user === undefined) return say(401, 'Unauthorized');
    if (parts.join('/') === '_plugins/_security/authinfo') return say(200, { user_name: user, roles: this.#rolesOf(user) });
    if (parts.slice(0, 3).join('/') !== '_plugins/_security/api') return this.#index(user, method, parts[0] ?? '', say);
    if (!this.#rolesOf(user).includes('all_access')) return say(403, { status: 'FORBIDDEN', message: 'No permission to access REST API' });
    const [kind = '', name] = parts.slice(3);
    const entities = this.objects[kind];
    if (!entities) return say(400, { error: 'no handler found' });
    if (method === 'GET') {
      if (name === undefined) return say(200, Object.fromEntries(Object.keys(entities).map((key) => [key, shown(entities[key]!)])));
      return entities[name] ? say(200, { [name]: shown(entities[name]) }) : say(404, notFound(name));
    }
    if (this.dropChange > 0 && (this.dropChange -= 1) === 0) return void request.socket.destroy();
    if (name === undefined) return say(405, {});
    this.changes.push(`${method} ${kind}/${name}`);
    if (entities[name]?.['reserved']) return say(403, { status: 'FORBIDDEN', message: `Resource '${name}' is reserved.` });
    if (method === 'DELETE') {
      if (!entities[name]) return say(404, notFound(name));
      delete entities[name];
      return say(200, { status: 'OK', message: `'${name}' deleted.` });
    }
    const body = await json(request);
    if (method === 'PATCH') {
      if (!entities[name]) return say(404, notFound(name));
      for (const { op, path, value } of body as { op: string; path: string; value: unknown }[]) {
        if (op !== 'replace') return say(400, { status: 'BAD_REQUEST', message: 'unexpected operation' });
        entities[name][path.slice(1)] = value;
      }
      return say(200, { status: 'OK', message: `'${name}' updated.` });
    }
    const problem = invalid(kind, body as Entity, entities[name] === undefined);
    if (problem) return say(400, { status: 'error', reason: problem });
    const status = entities[name] ? 200 : 201;
    entities[name] = { reserved: false, ...(body as Entity) };
    return say(status, { status: status === 200 ? 'OK' : 'CREATED', message: `'${name}' ${status === 200 ? 'updated' : 'created'}.` });
  }

  #userOf(request: IncomingMessage): string | undefined {
    const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ');
    const [name = '', ...password] = Buffer.from(credentials, 'base64').toString().split(':');
    return scheme === 'Basic' && this.objects['internalusers']![name]?.['password'] === password.join(':') ? name : undefined;
  }

  #rolesOf(user: string): string[] {
    return Object.entries(this.objects['rolesmapping']!).flatMap(([role, { users }]) => ((users as string[]).includes(user) ? [role] : []));
  }

  /** `HEAD` of an index, which needs `indices:admin/get`; there are no indices here. */
  #index(user: string, method: string, index: string, say: (status: number, body: unknown) => void): void {
    const permissions = this.#rolesOf(user).flatMap(
      (role) => (this.objects['roles']![role]?.['index_permissions'] ?? []) as { index_patterns: string[]; allowed_actions: string[] }[],
    );
    const allowed = permissions.some(
      ({ index_patterns, allowed_actions }) =>
        index_patterns.some((pattern) => matches(pattern, index)) && allowed_actions.some((action) => matches(action, 'indices:admin/get')),
    );
    say(method === 'HEAD' && allowed ? 404 : 403, {});
  }
}

function matches(pattern: string, value: string): boolean {
  return new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`).test(value);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const notFound = (name: string): Entity => ({ status: 'NOT_FOUND', message: `Resource '${name}' not found.` });

/** The hash is never shown, and the password least. */
function shown({ password: _, ...entity }: Entity): Entity {
  return { hash: '', ...entity };
}

function invalid(kind: string, body: Entity, isNew: boolean): string | undefined {
  const known = fields[kind]!;
  const unknown = Object.keys(body).filter((field) => !(field in known));
  if (unknown.length > 0) return `Invalid configuration: unknown keys ${unknown.join()}`;
  for (const [field, value] of Object.entries(body)) {
    const isArray = Array.isArray(value);
    const fits = {
      string: typeof value === 'string',
      strings: isArray && value.every((each) => typeof each === 'string'),
      objects: isArray && value.every((each) => typeof each === 'object' && each !== null),
      object: typeof value === 'object' && value !== null && !isArray,
    };
    if (!fits[known[field]!]) return `Wrong datatype: ${field}`;
  }
  if (kind === 'internalusers' && isNew && body['password'] === undefined && body['hash'] === undefined)
    return 'Please specify either hash or password';
  if (kind === 'internalusers' && typeof body['password'] === 'string' && body['password'].length < shortestPassword)
    return 'Password is too short';
  const strays = ((body['index_permissions'] ?? []) as Entity[])
    .flatMap((each) => Object.keys(each))
    .filter((field) => !indexPermissionFields.includes(field));
  return strays.length > 0 ? `Unrecognized field ${strays.join()}` : undefined;
}
