import type { Readable } from 'node:stream';
import { apiVersionOf, type KubeObject, type ResourceType } from '@skipper/api';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import { ApiCalls } from './api-calls.ts';
import { createConnection, type ApiConnection } from './connection.ts';
import { hasReason } from './errors.ts';
import type { Cluster } from './kubeconfig.ts';
import { query, resourcePath } from './paths.ts';
import { openPortForward } from './streams/port-forward.ts';
import type {
  DeleteOptions,
  ExecOptions,
  KubeClient,
  ListOptions,
  LogOptions,
  NamespaceOption,
  PortForward,
  WatchEvent,
  WriteOptions,
} from './types.ts';
import { watchEvents } from './watch.ts';

export interface ClientOptions {
  /** Where HTTPS_PROXY and NO_PROXY are read. Default `process.env`. */
  env?: NodeJS.ProcessEnv;
  /** How long TCP, a proxy and TLS may take together, in ms. Default 10 000. */
  connectTimeoutMs?: number;
  /** How long the server may be silent in the middle of a request, in ms; watches and logs may be. Default 60 000. */
  answerTimeoutMs?: number;
}

/** A list that the server forgets while it is read is begun anew this often, and then asked for in one piece. */
const mostListRestarts = 3;
const json = { 'content-type': 'application/json' };
/** Server-side apply takes YAML, of which JSON is a part. */
const applyPatch = { 'content-type': 'application/apply-patch+yaml' };

/** A client of one API server. It connects with the first request. @throws KipError `usage` or `unsupported` for settings that cannot work */
export function createClient(cluster: Cluster, options: ClientOptions = {}): KubeClient {
  return new Client(cluster, options);
}

class Client implements KubeClient {
  readonly server: string;
  readonly namespace: string;
  readonly #connection: ApiConnection;
  readonly #calls: ApiCalls;
  readonly #portForwards = new Set<PortForward>();

  constructor(cluster: Cluster, options: ClientOptions) {
    this.server = cluster.server;
    this.namespace = cluster.namespace;
    this.#connection = createConnection(cluster, options);
    this.#calls = new ApiCalls(this.#connection);
  }

  async get<T extends KubeObject>(type: ResourceType<T>, name: string, { namespace, signal }: NamespaceOption = {}): Promise<T> {
    return this.#calls.json({ method: 'GET', path: resourcePath(type, { namespace, name }), signal, safe: true });
  }

  async find<T extends KubeObject>(type: ResourceType<T>, name: string, options: NamespaceOption = {}): Promise<T | undefined> {
    return orUndefined(this.get(type, name, options));
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<{ items: T[]; resourceVersion: string }> {
    for (let restart = 0; ; restart += 1) {
      try {
        return await this.#listOnce(type, restart < mostListRestarts ? options : { ...options, pageSize: 0 });
      } catch (error) {
        if (restart >= mostListRestarts || !hasReason(error, 'Expired', 'Gone')) throw error;
      }
    }
  }

  async #listOnce<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, signal, labelSelector, fieldSelector, pageSize = 500 }: ListOptions,
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const apiVersion = apiVersionOf(type);
    const items: T[] = [];
    let token: string | undefined;
    for (;;) {
      const path =
        resourcePath(type, { namespace }) + query({ labelSelector, fieldSelector, limit: pageSize || undefined, continue: token });
      const page = await this.#calls.json<{ items?: T[] | null; metadata?: { resourceVersion?: string; continue?: string } }>({
        method: 'GET',
        path,
        signal,
        safe: true,
      });
      // The items of a list come without their type.
      for (const item of page.items ?? []) items.push({ ...item, apiVersion: item.apiVersion ?? apiVersion, kind: item.kind ?? type.kind });
      token = page.metadata?.continue;
      if (!token) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' };
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, { subresource, signal, ...options }: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    if (type.namespaced && namespace === undefined) throw new TypeError(`a ${type.kind} is created in a namespace, and none was given`);
    const path = resourcePath(type, subresource ? { namespace, name, subresource } : { namespace }) + writeQuery(options);
    return this.#calls.json({ method: 'POST', path, headers: json, body: typed(type, object), signal });
  }

  async replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    { subresource, signal, ...options }: WriteOptions = {},
  ): Promise<T> {
    const path =
      resourcePath(type, { namespace: object.metadata?.namespace, name: object.metadata?.name ?? '', subresource }) + writeQuery(options);
    return this.#calls.json({ method: 'PUT', path, headers: json, body: typed(type, object), signal });
  }

  async apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    { subresource, signal, force, ...options }: WriteOptions & { fieldManager: string; force?: boolean },
  ): Promise<T> {
    const path =
      resourcePath(type, { namespace: object.metadata?.namespace, name: object.metadata?.name ?? '', subresource }) +
      writeQuery({ ...options, force });
    return this.#calls.json({ method: 'PATCH', path, headers: applyPatch, body: typed(type, object), signal, safe: true });
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    patch: object,
    { namespace, subresource, signal, ...options }: WriteOptions & NamespaceOption = {},
  ): Promise<T> {
    const kind = Array.isArray(patch) ? 'json-patch' : 'merge-patch';
    const path = resourcePath(type, { namespace, name, subresource }) + writeQuery(options);
    return this.#calls.json({
      method: 'PATCH',
      path,
      headers: { 'content-type': `application/${kind}+json` },
      body: JSON.stringify(patch),
      signal,
    });
  }

  async delete<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    { namespace, signal, uid, resourceVersion, propagation, gracePeriodSeconds }: DeleteOptions = {},
  ): Promise<T | undefined> {
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion },
      propagationPolicy: propagation,
      gracePeriodSeconds,
    });
    const answer = await orUndefined(
      this.#calls.json<T | Status>({ method: 'DELETE', path: resourcePath(type, { namespace, name }), headers: json, body, signal }),
    );
    if (answer?.kind !== 'Status') return answer as T | undefined;
    // Some kinds are answered with a Status, which tells no more than whom it was about.
    const { uid: deleted } = (answer as Status).details ?? {};
    return { apiVersion: apiVersionOf(type), kind: type.kind, metadata: { name, namespace, uid: deleted } } as T;
  }

  watch<T extends KubeObject>(
    type: ResourceType<T>,
    {
      namespace,
      signal,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds,
    }: ListOptions & { resourceVersion: string; timeoutSeconds?: number },
  ): AsyncIterable<WatchEvent<T>> {
    const path =
      resourcePath(type, { namespace }) +
      query({ watch: 1, allowWatchBookmarks: true, resourceVersion, timeoutSeconds, labelSelector, fieldSelector });
    return { [Symbol.asyncIterator]: () => watchEvents<T>(this.#calls, path, signal) };
  }

  async logs(
    pod: string,
    { namespace = this.namespace, signal, container, follow, tailLines, previous, timestamps, sinceSeconds }: LogOptions,
  ): Promise<Readable> {
    const type = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
    const path =
      resourcePath(type, { namespace, name: pod, subresource: 'log' }) +
      query({ container, follow, tailLines, previous, timestamps, sinceSeconds });
    const response = await this.#calls.open({ method: 'GET', path, signal, safe: true });
    const onAbort = (): void => {
      response.destroy(signal!.reason as Error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    response.once('close', () => signal?.removeEventListener('abort', onAbort));
    if (signal?.aborted) onAbort();
    return response;
  }

  async exec(pod: string, options: ExecOptions): Promise<number> {
    const { execInPod } = await import('./streams/exec.ts');
    return execInPod(this.#connection, pod, { ...options, namespace: options.namespace ?? this.namespace });
  }

  portForward(pod: string, { namespace = this.namespace }: NamespaceOption): PortForward {
    const forward = openPortForward(this.#connection, pod, namespace, { onClose: () => this.#portForwards.delete(forward) });
    this.#portForwards.add(forward);
    return forward;
  }

  async raw(
    method: string,
    path: string,
    { body, headers, signal }: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }> {
    const payload = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const upper = method.toUpperCase();
    const answer = await this.#calls.answer({
      method: upper,
      path,
      headers: { ...(payload === undefined ? {} : json), ...headers },
      body: payload,
      signal,
      safe: upper === 'GET' || upper === 'HEAD',
    });
    return { status: answer.status, headers: answer.headers, body: answer.body };
  }

  close(): void {
    for (const forward of this.#portForwards) forward.close();
    this.#calls.close();
  }
}

/** `undefined` for what is not there. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

function typed(type: ResourceType, object: KubeObject): string {
  return JSON.stringify({ ...object, apiVersion: apiVersionOf(type), kind: type.kind });
}

function writeQuery({ fieldManager, dryRun, force }: { fieldManager?: string; dryRun?: boolean; force?: boolean }): string {
  return query({ fieldManager, dryRun: dryRun ? 'All' : undefined, force });
}
