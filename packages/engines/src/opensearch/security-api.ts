import { NoAccountsError, type ServiceAccess } from '../engine.ts';

const answerMs = 30_000;

/** The REST API of a running OpenSearch, as one user. */
export interface OpensearchApi {
  /** @returns the status and the JSON of the body, if that is what it is. */
  request(method: string, path: readonly string[], body?: unknown): Promise<{ status: number; body: unknown }>;
}

export async function opensearchApi(access: ServiceAccess, user: { username: string; password: string }): Promise<OpensearchApi> {
  const { host, port } = await access.endpoint('http');
  const authorization = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
  return {
    async request(method, path, body) {
      const response = await fetch(`http://${host}:${port}/${path.map(encodeURIComponent).join('/')}`, {
        method,
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.any([access.signal, AbortSignal.timeout(answerMs)]),
      });
      const text = await response.text();
      return { status: response.status, body: parsed(text) };
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Kinds of objects of the security plugin. https://docs.opensearch.org/latest/security/access-control/api/ */
export type SecurityKind = 'internalusers' | 'roles' | 'rolesmapping';

const api = ['_plugins', '_security', 'api'];

/** The security plugin's objects, as the administrator sees them. */
export class SecurityApi {
  readonly #api: OpensearchApi;

  private constructor(administrator: OpensearchApi) {
    this.#api = administrator;
  }

  /** @throws when the plugin is not there, or does not take the administrator's password. */
  static async open(access: ServiceAccess): Promise<SecurityApi> {
    const administrator = await opensearchApi(access, access.administrator);
    const { status } = await administrator.request('GET', ['_plugins', '_security', 'authinfo']);
    // A path that no plugin knows is a bad request to OpenSearch.
    if (status === 400 || status === 404 || status === 405)
      throw new NoAccountsError(
        'OpenSearch runs with its security plugin disabled, so it has no accounts, and whoever reaches it may do everything: remove the annotation "skipper.dev/opensearch-security" from the service to bind apps to it.',
      );
    if (status === 401) throw new Error(`OpenSearch refuses the password of its administrator "${access.administrator.username}".`);
    if (status !== 200) throw new Error(`OpenSearch's security plugin is not ready: it answers ${status}.`);
    return new SecurityApi(administrator);
  }

  /** `undefined` when there is none of that name. */
  async get(kind: SecurityKind, name: string): Promise<Record<string, unknown> | undefined> {
    return (await this.#send<Record<string, Record<string, unknown>>>('GET', kind, name))?.[name];
  }

  /** All of a kind, by their names. */
  async list(kind: SecurityKind): Promise<Record<string, Record<string, unknown>>> {
    return (await this.#send<Record<string, Record<string, unknown>>>('GET', kind)) ?? {};
  }

  async put(kind: SecurityKind, name: string, object: Record<string, unknown>): Promise<void> {
    await this.#send('PUT', kind, name, object);
  }

  async patch(kind: SecurityKind, name: string, operations: readonly { op: string; path: string; value?: unknown }[]): Promise<void> {
    await this.#send('PATCH', kind, name, operations);
  }

  /** Does nothing when there is none of that name. */
  async delete(kind: SecurityKind, name: string): Promise<void> {
    await this.#send('DELETE', kind, name);
  }

  /** @returns `undefined` when there is no such object. */
  async #send<T>(method: string, kind: SecurityKind, name?: string, content?: unknown): Promise<T | undefined> {
    const { status, body } = await this.#api.request(method, [...api, kind, ...(name === undefined ? [] : [name])], content);
    if (status === 404 && method !== 'PUT') return undefined;
    if (status >= 200 && status < 300) return body as T;
    const { message, reason } = (typeof body === 'object' && body !== null ? body : {}) as { message?: unknown; reason?: unknown };
    throw new Error(`OpenSearch answers ${method} of ${kind} "${name ?? ''}" with ${status}: ${String(message ?? reason ?? 'no reason')}`);
  }
}
