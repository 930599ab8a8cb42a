import type { Duplex, Readable, Writable } from 'node:stream';
import type { KubeObject, ResourceType } from '@skipper/api';

export interface NamespaceOption {
  /** Required for namespaced resource types (`list` and `watch` without it cover all namespaces). */
  namespace?: string;
  signal?: AbortSignal;
}

export interface ListOptions extends NamespaceOption {
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects a request; pages are followed until the end. Default 500. */
  pageSize?: number;
}

export interface WriteOptions {
  fieldManager?: string;
  dryRun?: boolean;
  /** `status` or `scale`. */
  subresource?: string;
  signal?: AbortSignal;
}

export interface DeleteOptions extends NamespaceOption {
  /** Preconditions: delete only this very object, only in this version. */
  uid?: string;
  resourceVersion?: string;
  propagation?: 'Foreground' | 'Background' | 'Orphan';
  gracePeriodSeconds?: number;
}

export type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T };

export interface LogOptions extends NamespaceOption {
  container?: string;
  follow?: boolean;
  tailLines?: number;
  previous?: boolean;
  timestamps?: boolean;
  sinceSeconds?: number;
}

export interface ExecOptions extends NamespaceOption {
  container?: string;
  command: string[];
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  tty?: boolean;
}

/** Connections to ports of one pod, many over one connection to the API server. */
export interface PortForward {
  /** Resolves when a connection is ready to carry {@link connect}, which then costs one round trip; the pod notices nothing. @throws KubeError, KipError `unreachable` */
  ready(): Promise<void>;
  /** A connection to `port` of the pod. Bytes may be written at once; a refused connection surfaces as the stream's error, a PortForwardError. */
  connect(port: number): Duplex;
  /** Ends every connection and the transport. */
  close(): void;
}

/** A Kubernetes API server. Every call throws KubeError for an answer that is a failure, KipError `unreachable` for none. */
export interface KubeClient {
  readonly server: string;
  /** The context's default namespace. */
  readonly namespace: string;
  get<T extends KubeObject>(type: ResourceType<T>, name: string, options?: NamespaceOption): Promise<T>;
  /** Like `get`, but `undefined` when there is none. */
  find<T extends KubeObject>(type: ResourceType<T>, name: string, options?: NamespaceOption): Promise<T | undefined>;
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<{ items: T[]; resourceVersion: string }>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Server-side apply. `apiVersion` and `kind` are filled in. @param options.force takes over fields of other managers. */
  apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions & { fieldManager: string; force?: boolean },
  ): Promise<T>;
  /** A JSON patch when `patch` is an array, else a merge patch. */
  patch<T extends KubeObject>(type: ResourceType<T>, name: string, patch: object, options?: WriteOptions & NamespaceOption): Promise<T>;
  /** Resolves when the server has accepted; the object may still be going (finalizers). `undefined` when there was none. */
  delete<T extends KubeObject>(type: ResourceType<T>, name: string, options?: DeleteOptions): Promise<T | undefined>;
  /** One watch request from `resourceVersion`; ends when the server ends it. An ERROR event is thrown as KubeError (410: `Expired`). */
  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: ListOptions & { resourceVersion: string; timeoutSeconds?: number },
  ): AsyncIterable<WatchEvent<T>>;
  logs(pod: string, options: LogOptions): Promise<Readable>;
  /** Resolves with the exit code. */
  exec(pod: string, options: ExecOptions): Promise<number>;
  portForward(pod: string, options: NamespaceOption): PortForward;
  /** A request outside the resource model, for example `/version`. */
  raw(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }>;
  /** Closes idle connections; running watches end. */
  close(): void;
}

/** A change that an informer saw. `old` is what its store held before. */
export interface InformerEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: T;
  old?: T;
}

/** A local copy of the objects of one kind, kept up to date by one watch. Runs from its creation until `close`. */
export interface Informer<T extends KubeObject> {
  /** Resolves when the first list is in the store. Rejects only when `signal` aborts or the informer is closed. */
  synced(signal?: AbortSignal): Promise<void>;
  readonly hasSynced: boolean;
  get(name: string, namespace?: string): T | undefined;
  list(namespace?: string): T[];
  /** A handler that throws is reported to the informer's `log` and disturbs nobody else. @returns ends the subscription. */
  subscribe(handler: (event: InformerEvent<T>) => void): () => void;
  close(): void;
}

export interface InformerOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  log?(message: string): void;
}

export interface TunnelOptions {
  namespace: string;
  pod: string;
  /** Port of the pod. */
  port: number;
  /** Port on 127.0.0.1; 0 picks a free one. */
  localPort: number;
  /** What a person watching would want to know: the pod went away, it is back. Never called per connection. */
  onNotice?(message: string): void;
  /** How long a new connection waits for the pod to be Ready, in ms. Default 60 000. */
  waitForPodMs?: number;
}

/** A listening port on this machine whose connections reach one pod, through restarts of the pod. */
export interface Tunnel {
  readonly localPort: number;
  close(): Promise<void>;
}
