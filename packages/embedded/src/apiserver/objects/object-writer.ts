import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { apiVersionOf } from '@skipper/api';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiObject, KindDefinition, PatchApi, SchemaApi, StrategyContext } from '../../contracts.ts';
import type { Frozen, ObjectStore } from '../store/object-store.ts';
import { alreadyExists, badRequest, conflict, failure, forbidden, invalid, notFound } from './failures.ts';
import { requireNames } from './object-names.ts';
import { desired, hasGeneration, isGone, keyOf, present, sameBesidesTimes, seconds } from './stored-object.ts';
import { requireObject, requireWellFormed } from './well-formed.ts';

export interface WriteOptions {
  dryRun: boolean;
  fieldManager: string;
  fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  /** What the client is to be told besides the answer. */
  warn(message: string): void;
}

export interface Target {
  kind: KindDefinition;
  namespace: string | undefined;
  name: string;
  /** Empty for the object itself. */
  subresource: string;
}

/** How an object is to be changed: given a copy of what is stored. */
export type Change = (current: ApiObject) => ApiObject;

/** Creates and changes objects by every rule that their kinds have. */
export class ObjectWriter {
  readonly store: ObjectStore;
  readonly #schema: SchemaApi;
  readonly #patch: PatchApi;
  readonly context: StrategyContext;

  constructor(store: ObjectStore, schema: SchemaApi, patch: PatchApi) {
    this.store = store;
    this.#schema = schema;
    this.#patch = patch;
    this.context = {
      find: (storage, namespace, name) => store.find({ storage, namespace, name }) as ApiObject | undefined,
      list: (storage, namespace) => store.list(storage, namespace) as ApiObject[],
      now: () => new Date(),
    };
  }

  /** @param body becomes the object; must be the caller's own. */
  async create(
    kind: KindDefinition,
    namespace: string | undefined,
    body: ApiObject,
    options: WriteOptions,
    applied?: (object: ApiObject) => ApiObject,
  ): Promise<Frozen> {
    const object = this.#identify(kind, namespace, body);
    requireWellFormed(kind, object);
    const { metadata } = object;
    if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    const generated = !metadata.name && metadata.generateName;
    for (let attempt = 0; ; attempt++) {
      if (generated) metadata.name = `${metadata.generateName}${randomSuffix()}`;
      try {
        return await this.#insert(kind, namespace, structuredClone(object), options, applied);
      } catch (error) {
        if (!generated || attempt === 8 || (error as { reason?: string }).reason !== 'AlreadyExists') throw error;
      }
    }
  }

  async #insert(
    kind: KindDefinition,
    namespace: string | undefined,
    object: ApiObject,
    options: WriteOptions,
    applied?: (object: ApiObject) => ApiObject,
  ): Promise<Frozen> {
    this.#checkFields(kind, object, options);
    this.#requireTypes(kind, object);
    const now = this.context.now();
    const { selfLink, deletionTimestamp, deletionGracePeriodSeconds, managedFields, ...kept } = object.metadata;
    object.metadata = { ...kept, uid: randomUUID(), creationTimestamp: seconds(now) as unknown as ObjectMeta['creationTimestamp'] };
    if (kind.type.namespaced) object.metadata.namespace = namespace;
    else delete object.metadata.namespace;
    if (kind.status) delete object['status'];
    if (hasGeneration(kind)) object.metadata.generation = 1;
    kind.strategy.prepareCreate?.(object, this.context);
    this.#schema.applyDefaults(kind, object);
    this.#validate(kind, object, undefined);
    object.metadata.managedFields = applied
      ? applied(object).metadata.managedFields
      : this.#patch.updateManagedFields({ kind, live: undefined, next: object, manager: options.fieldManager, subresource: '', now });
    this.#admitCreate(kind, namespace, object);
    const key = keyOf(kind, namespace, object.metadata.name!);
    let result: Frozen = object;
    const stored = await this.store.update(key, (current) => {
      if (current) throw alreadyExists(kind, key.name);
      // Again, now that nobody else can have the name: the namespace may have begun to go.
      this.#admitCreate(kind, namespace, object);
      result = object;
      return options.dryRun ? undefined : object;
    });
    return stored ?? result;
  }

  #admitCreate(kind: KindDefinition, namespace: string | undefined, object: ApiObject): void {
    if (kind.type.namespaced) {
      const owner = this.store.find({ storage: 'core/namespaces', namespace: undefined, name: namespace! });
      if (!owner) throw failure(404, 'NotFound', `namespaces "${namespace}" not found`, { name: namespace!, kind: 'namespaces' });
      if (owner.metadata.deletionTimestamp) {
        const error = forbidden(
          `${kind.type.plural}${kind.type.group ? `.${kind.type.group}` : ''} "${object.metadata.name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
        );
        error.status.details = {
          name: object.metadata.name!,
          kind: kind.type.plural,
          causes: [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }],
        };
        throw error;
      }
    }
    kind.strategy.admit?.('create', object, this.context);
  }

  /**
   * Changes an object or one of its subresources.
   * @param options.manages replaces the usual bookkeeping of managed fields, which `change` has done.
   * @returns undefined when there is none.
   */
  async change(
    target: Target,
    change: Change,
    options: WriteOptions & { manages?: boolean; checkFields?: boolean },
  ): Promise<Frozen | undefined> {
    const { kind, namespace, name, subresource } = target;
    let result: Frozen | undefined;
    const stored = await this.store.update(keyOf(kind, namespace, name), (current) => {
      if (!current) return current;
      const old = present(kind, current) as ApiObject;
      const asked = change(structuredClone(old));
      this.#identify(kind, namespace, asked);
      requireWellFormed(kind, asked);
      if (asked.metadata.name !== name)
        throw badRequest(`the name of the object (${asked.metadata.name}) does not match the name on the URL (${name})`);
      const { uid, resourceVersion } = asked.metadata;
      if (uid && uid !== old.metadata.uid)
        throw conflict(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`);
      if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw conflict(kind, name);
      if (options.checkFields !== false) this.#checkFields(kind, asked, options);
      this.#requireTypes(kind, asked);
      const next = this.#merge(kind, asked, old, subresource, options);
      result = next;
      if (options.dryRun || sameBesidesTimes(next, old)) {
        result = options.dryRun ? next : old;
        return current;
      }
      return isGone(next) ? undefined : next;
    });
    return options.dryRun || result === undefined || stored === undefined ? result : present(kind, stored);
  }

  /** What `asked` may say, over what it may not. */
  #merge(
    kind: KindDefinition,
    asked: ApiObject,
    old: ApiObject,
    subresource: string,
    options: WriteOptions & { manages?: boolean },
  ): ApiObject {
    const now = this.context.now();
    let next: ApiObject;
    if (subresource === 'status') {
      next = { ...structuredClone(old), status: asked['status'] };
      if (asked['status'] === undefined) delete next['status'];
      next.metadata.managedFields = asked.metadata.managedFields;
    } else {
      next = { ...asked, metadata: { ...asked.metadata } };
      if (kind.status) {
        if (old['status'] === undefined) delete next['status'];
        else next['status'] = structuredClone(old['status']);
      }
      const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation, namespace } = old.metadata;
      Object.assign(next.metadata, { uid, creationTimestamp });
      for (const [name, value] of Object.entries({ deletionTimestamp, deletionGracePeriodSeconds, generation, namespace })) {
        if (value === undefined) delete (next.metadata as Record<string, unknown>)[name];
        else Object.assign(next.metadata, { [name]: value });
      }
      delete next.metadata.selfLink;
      this.#requireOldFinalizers(kind, next, old);
      kind.strategy.prepareUpdate?.(next, old, this.context);
    }
    next.metadata.resourceVersion = old.metadata.resourceVersion;
    this.#schema.applyDefaults(kind, next);
    this.#validate(kind, next, old);
    if (subresource === '' && hasGeneration(kind) && !isDeepStrictEqual(desired(next), desired(old)))
      next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    if (!options.manages) {
      next.metadata.managedFields = this.#patch.updateManagedFields({
        kind,
        live: old,
        next,
        manager: options.fieldManager,
        subresource,
        now,
      });
    }
    return next;
  }

  /** An object that is going may lose finalizers and gain none. */
  #requireOldFinalizers(kind: KindDefinition, next: ApiObject, old: ApiObject): void {
    if (!old.metadata.deletionTimestamp) return;
    const added = (next.metadata.finalizers ?? []).filter((name) => !old.metadata.finalizers?.includes(name));
    if (added.length === 0) return;
    throw invalid(kind, old.metadata.name!, [
      {
        reason: 'FieldValueForbidden',
        field: 'metadata.finalizers',
        message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
      },
    ]);
  }

  #identify(kind: KindDefinition, namespace: string | undefined, body: ApiObject): ApiObject {
    requireObject(body);
    body.apiVersion ??= apiVersionOf(kind.type);
    body.kind ??= kind.type.kind;
    if (body.apiVersion !== apiVersionOf(kind.type) || body.kind !== kind.type.kind) {
      throw badRequest(
        `the object provided is unrecognized (${body.apiVersion}, Kind=${body.kind}): must be of type ${kind.type.kind} ${apiVersionOf(kind.type)}`,
      );
    }
    body.metadata ??= {};
    if (typeof body.metadata !== 'object' || Array.isArray(body.metadata)) throw badRequest('metadata must be an object');
    if (kind.type.namespaced && body.metadata.namespace && body.metadata.namespace !== namespace) {
      throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
    }
    return body;
  }

  #checkFields(kind: KindDefinition, object: ApiObject, options: WriteOptions): void {
    const unknown = this.#schema.prune(kind, object).map((path) => `unknown field "${path}"`);
    if (unknown.length === 0 || options.fieldValidation === 'Ignore') return;
    if (options.fieldValidation === 'Strict') throw badRequest(`strict decoding error: ${unknown.join(', ')}`);
    for (const message of unknown) options.warn(message);
  }

  /** A built-in kind's object with a field of the wrong type cannot even be read; defaults and hooks take its shape for granted. */
  #requireTypes(kind: KindDefinition, object: ApiObject): void {
    if (kind.custom) return;
    const malformed = this.#schema.validate(kind, object).find(({ reason }) => reason === 'FieldValueTypeInvalid');
    if (!malformed) return;
    throw badRequest(
      `${object.kind} in version "${kind.type.version}" cannot be handled as a ${object.kind}: ${malformed.field}: ${malformed.message}`,
    );
  }

  #validate(kind: KindDefinition, object: ApiObject, old: ApiObject | undefined): void {
    const errors = [...requireNames(kind, object), ...this.#schema.validate(kind, object, old)];
    // A type's own rules may take the shape for granted.
    if (errors.length === 0) errors.push(...(kind.strategy.validate?.(object, old) ?? []));
    if (errors.length > 0) throw invalid(kind, object.metadata.name ?? '', errors);
  }

  /** @throws a 404 failure */
  require(kind: KindDefinition, namespace: string | undefined, name: string): Frozen {
    const found = this.store.find(keyOf(kind, namespace, name));
    if (!found) throw notFound(kind, name);
    return present(kind, found);
  }
}

/** Without vowels, and characters that look alike. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

function randomSuffix(): string {
  return Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
}
