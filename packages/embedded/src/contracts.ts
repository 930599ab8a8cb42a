import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { KubeObject, ResourceType } from '@skipper/api';
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';
import type { ObjectMeta, StatusCause } from 'kubernetes-types/meta/v1.d.ts';

/**
 * What the parts of the embedded cluster know of each other: the API server (`apiserver`), schemas and tables (`schema`), patches
 * (`patch`), and the API's clients (`controllers`, `node`).
 */

/** An object of any kind as the API server handles it. Its own copy: whoever is handed one may change it. */
export interface ApiObject extends KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { -readonly [Field in keyof ObjectMeta]: ObjectMeta[Field] };
  // The fields of a kind are known to its schema, not to the compiler.
  [field: string]: any;
}

/** Everything the API server knows of one kind in one version. */
export interface KindDefinition {
  readonly type: ResourceType;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Where objects are kept, for example `apps/statefulsets`. Two kinds that are views of one resource share it. */
  readonly storage: string;
  /** Whether status is written through `/status` only. */
  readonly status: boolean;
  readonly scale?: ScalePaths;
  /** Fields besides metadata.name and metadata.namespace that a field selector may name, with their values. */
  readonly selectableFields?: Readonly<Record<string, (object: ApiObject) => string>>;
  /** Verbs for discovery; all of them when left out. */
  readonly verbs?: readonly string[];
  readonly strategy: Strategy;
  /** Only for kinds that come from a CustomResourceDefinition. */
  readonly custom?: CustomKind;
}

/** Field paths in dots, for example `.spec.replicas`. */
export interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  readonly selector?: string;
}

export interface CustomKind {
  /** The revision at which the kind came to be served; 0: before the server began. */
  readonly since: number;
  readonly schema?: JSONSchemaProps;
  readonly columns: readonly PrinterColumn[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly format?: string;
  readonly description?: string;
  /** Columns above 0 are shown by `-o wide` only. */
  readonly priority?: number;
}

/** What one kind does beyond what every kind does. Hooks change `object` in place; `old` is never changed. */
export interface Strategy {
  /** Before defaults and validation. */
  prepareCreate?(object: ApiObject, context: StrategyContext): void;
  prepareUpdate?(object: ApiObject, old: ApiObject, context: StrategyContext): void;
  /** Beyond the schema; immutable fields are checked here. */
  validate?(object: ApiObject, old: ApiObject | undefined): FieldError[];
  /** Refuses a create or a delete. @throws an API failure */
  admit?(operation: 'create' | 'delete', object: ApiObject, context: StrategyContext): void;
  /** Seconds that a deleted object is left to stop by itself (pods); 0 means at once. Default 0. */
  gracePeriodSeconds?(object: ApiObject, asked: number | undefined): number;
}

export interface StrategyContext {
  /** Reads what is stored. */
  find(storage: string, namespace: string | undefined, name: string): ApiObject | undefined;
  list(storage: string, namespace?: string): ApiObject[];
  now(): Date;
}

/**
 * One cause of an `Invalid` answer, as in the Status' `details.causes`: `reason` is for example `FieldValueRequired`, `field` a
 * path such as `spec.containers[0].name`, `message` for example `Required value` or `Invalid value: -1: must be positive`.
 */
export type FieldError = Required<StatusCause>;

/** Every kind that is served now. Changes with CustomResourceDefinitions. */
export interface ResourceRegistry {
  all(): readonly KindDefinition[];
  byPlural(group: string, version: string, plural: string): KindDefinition | undefined;
  byKind(group: string, version: string, kind: string): KindDefinition | undefined;
  /** A version of what is stored there: one that is served, where there is one. */
  byStorage(storage: string): KindDefinition | undefined;
  /** Grows with every change of what is served: caches of documents made from it are keyed by it. */
  readonly generation: number;
}

/** Provided by `schema/index.ts`. */
export interface SchemaApi {
  /** The schema's and the type's own rules: `old` is what it replaces. Built-in kinds without a known schema pass. */
  validate(kind: KindDefinition, object: ApiObject, old?: ApiObject): FieldError[];
  /** Fills in the defaults that Kubernetes stores, in place. */
  applyDefaults(kind: KindDefinition, object: ApiObject): void;
  /** Drops fields that the schema does not know, in place. @returns their paths, for example `spec.foo`. */
  prune(kind: KindDefinition, object: ApiObject): string[];
  /** A meta.k8s.io/v1 Table without its list metadata. */
  tableOf(kind: KindDefinition, objects: readonly ApiObject[], options: TableOptions): Table;
  /** `/openapi/v2` as an object, and in the protobuf encoding that kubectl asks for. */
  openApiV2(registry: ResourceRegistry): object;
  openApiV2Protobuf(registry: ResourceRegistry): Buffer;
  /** `/openapi/v3`: paths such as `apis/apps/v1`, each with its `serverRelativeURL`. */
  openApiV3Index(registry: ResourceRegistry): object;
  /** @param path for example `api/v1` or `apis/apps/v1`. `undefined` when nothing is served there. */
  openApiV3(registry: ResourceRegistry, path: string): object | undefined;
}

export interface TableOptions {
  includeObject: 'None' | 'Metadata' | 'Object';
  now: Date;
}

export interface Table {
  apiVersion: 'meta.k8s.io/v1';
  kind: 'Table';
  metadata?: object;
  columnDefinitions: { name: string; type: string; format: string; description: string; priority: number }[];
  rows: { cells: unknown[]; conditions?: object[]; object?: object }[];
}

/** Provided by `patch/index.ts`. Nothing handed in is changed. */
export interface PatchApi {
  /** RFC 6902. @throws PatchError */
  jsonPatch(object: ApiObject, patch: unknown): ApiObject;
  /** RFC 7386. @throws PatchError */
  mergePatch(object: ApiObject, patch: unknown): ApiObject;
  /** @throws PatchError; for custom kinds the server answers 415 before asking. */
  strategicMergePatch(kind: KindDefinition, object: ApiObject, patch: unknown): ApiObject;
  /**
   * Server-side apply, managed fields included.
   * @param request.live what is stored; undefined when the object is created.
   * @throws ApplyConflictError without `force`, PatchError when the configuration is malformed.
   */
  serverSideApply(request: ApplyRequest): ApiObject;
  /** The managed fields of `next` after a create, update or non-apply patch by `manager`. */
  updateManagedFields(request: TrackRequest): ObjectMeta['managedFields'];
}

export interface ApplyRequest {
  kind: KindDefinition;
  live: ApiObject | undefined;
  applied: ApiObject;
  manager: string;
  force: boolean;
  subresource: string;
  now: Date;
}

export interface TrackRequest {
  kind: KindDefinition;
  live: ApiObject | undefined;
  next: ApiObject;
  manager: string;
  subresource: string;
  now: Date;
}

/** A patch that cannot be applied. `status` 400: malformed; 422: well formed but impossible here (a failed `test`, a missing path). */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly status: 400 | 422;
  constructor(status: 400 | 422, message: string) {
    super(message);
    this.status = status;
  }
}

/** In Kubernetes' words. */
function conflictMessage(conflicts: readonly ApplyConflict[]): string {
  const [first, second] = conflicts;
  if (first && !second) return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.field}`;
  const managers = [...new Set(conflicts.map(({ manager }) => manager))].sort();
  const lines = managers.flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...conflicts.filter((conflict) => conflict.manager === manager).map(({ field }) => `- ${field}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/** Fields that another manager owns with another value. */
export class ApplyConflictError extends Error {
  override readonly name = 'ApplyConflictError';
  readonly conflicts: readonly ApplyConflict[];
  constructor(conflicts: readonly ApplyConflict[]) {
    super(conflictMessage(conflicts));
    this.conflicts = conflicts;
  }
}

export interface ApplyConflict {
  /** As Kubernetes prints it in the message, for example `"kubectl-client-side-apply" using v1` or `"kip" with subresource "status" using apps/v1 at 2026-01-01T00:00:00Z`. */
  manager: string;
  /** For example `.spec.replicas`. */
  field: string;
}

export interface PodReference {
  namespace: string;
  name: string;
}

/** What the node does for the pod's subresources. A failure is thrown as KubeError (404, 400 …) before the first byte. */
export interface NodeEndpoints {
  log(pod: PodReference, options: PodLogOptions): Promise<Readable>;
  /** Runs a command beside a container's process. Resolves with its exit code after the output streams have been written. Kills it on `signal`. */
  exec(pod: PodReference, options: PodExecOptions): Promise<number>;
  /** Resolves with a connected socket. @throws when nothing listens there. */
  dial(pod: PodReference, port: number): Promise<Socket>;
}

export interface PodLogOptions {
  /** The only container when left out. */
  container?: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  /** RFC 3339. */
  sinceTime?: string;
  limitBytes?: number;
}

export interface PodExecOptions {
  container?: string;
  command: string[];
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  tty?: boolean;
  signal: AbortSignal;
}

/**
 * The reason that a container waits for while another program listens on all addresses of the machine at a port of its own. The
 * Deployment controller ends the old pods of such a Deployment before the new ones.
 */
export const portInUse = 'PortInUse';

/** One line of the cluster's own log. Never a secret. */
export type Log = (message: string) => void;
