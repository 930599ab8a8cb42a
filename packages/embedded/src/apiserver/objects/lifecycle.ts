import type { ObjectMeta, OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiObject, KindDefinition, Log, ResourceRegistry } from '../../contracts.ts';
import { createWorkQueue } from '../../work-queue.ts';
import type { Frozen, ObjectKey, StoreEvent } from '../store/object-store.ts';
import { withConditions } from './namespace-conditions.ts';
import { deleteObject, foregroundFinalizer, orphanFinalizer } from './object-deleter.ts';
import type { ObjectWriter } from './object-writer.ts';

const namespaceStorage = 'core/namespaces';
const definitionStorage = 'apiextensions.k8s.io/customresourcedefinitions';
const definitionFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

/** An object and where it is stored, which its own version need not tell: it may be served no longer. */
interface Stored {
  storage: string;
  object: Frozen;
}

export interface Lifecycle {
  close(): Promise<void>;
}

/**
 * What the server does by itself once objects are deleted: what they own goes or is let go, namespaces and definitions are emptied
 * before they go.
 */
export function startLifecycle(writer: ObjectWriter, registry: ResourceRegistry, log: Log): Lifecycle {
  const { store } = writer;
  /** Ids of objects by the uid of each of their owners. */
  const dependents = new Map<string, Set<string>>();
  const uids = new Set<string>();

  const ownersOf = (object: Frozen): OwnerReference[] => object.metadata.ownerReferences ?? [];
  const dependentsOf = (uid: string): Stored[] =>
    [...(dependents.get(uid) ?? [])].flatMap((id) => {
      const key = keyOf(id);
      const object = store.find(key);
      return object ? { storage: key.storage, object } : [];
    });

  const index = ({ storage, object, old, type }: Pick<StoreEvent, 'storage' | 'object' | 'old' | 'type'>): void => {
    const id = idOf(storage, object.metadata);
    for (const owner of old ? ownersOf(old) : []) {
      const owned = dependents.get(owner.uid);
      owned?.delete(id);
      if (owned?.size === 0) dependents.delete(owner.uid);
    }
    if (type === 'DELETED') return void uids.delete(object.metadata.uid!);
    uids.add(object.metadata.uid!);
    for (const owner of ownersOf(object)) {
      const owned = dependents.get(owner.uid) ?? new Set();
      owned.add(id);
      dependents.set(owner.uid, owned);
    }
  };

  const kindOf = ({ storage, object }: Stored): KindDefinition | undefined => {
    const [version = '', group = ''] = (object.apiVersion ?? '').split('/').reverse();
    return registry.byKind(group, version, object.kind) ?? registry.byStorage(storage);
  };
  const remove = async (stored: Stored, propagationPolicy?: 'Foreground'): Promise<void> => {
    const kind = kindOf(stored);
    const { object } = stored;
    if (!kind || object.metadata.deletionTimestamp) return;
    await deleteObject(writer, kind, object.metadata.namespace, object.metadata.name!, {
      uid: object.metadata.uid!,
      dryRun: false,
      ...(propagationPolicy ? { propagationPolicy } : {}),
    });
  };
  const edit = async (stored: Stored, change: (object: ApiObject) => void): Promise<void> => {
    const kind = kindOf(stored);
    if (!kind) return;
    const { object } = stored;
    const options = { dryRun: false, fieldManager: 'garbage-collector', fieldValidation: 'Ignore' as const, warn: () => undefined };
    await writer.change(
      { kind, namespace: object.metadata.namespace, name: object.metadata.name!, subresource: '' },
      (current) => {
        if (current.metadata.uid === object.metadata.uid) change(current);
        return current;
      },
      { ...options, checkFields: false },
    );
  };
  const dropFinalizer = (stored: Stored, finalizer: string): Promise<void> =>
    edit(stored, (current) => {
      current.metadata.finalizers = (current.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    });
  const dropOwner = (stored: Stored, uid: string): Promise<void> =>
    edit(stored, (current) => {
      current.metadata.ownerReferences = ownersOf(current).filter((owner) => owner.uid !== uid);
      if (current.metadata.ownerReferences.length === 0) delete current.metadata.ownerReferences;
    });

  /** An owner is gone: what it owned alone goes too. */
  const release = async (stored: Stored): Promise<void> => {
    const owners = ownersOf(stored.object);
    const absent = owners.filter(({ uid }) => !uids.has(uid));
    if (absent.length === 0) return;
    if (absent.length === owners.length) await remove(stored);
    else for (const { uid } of absent) await dropOwner(stored, uid);
  };

  /** Does what an object that is going waits for. */
  const finalize = async (stored: Stored): Promise<void> => {
    const { uid, finalizers = [] } = stored.object.metadata;
    if (finalizers.includes(orphanFinalizer)) {
      for (const dependent of dependentsOf(uid!)) await dropOwner(dependent, uid!);
      await dropFinalizer(stored, orphanFinalizer);
    }
    if (finalizers.includes(foregroundFinalizer)) {
      const owned = dependentsOf(uid!);
      for (const dependent of owned) await remove(dependent, 'Foreground');
      const blocking = dependentsOf(uid!).filter(({ object }) =>
        ownersOf(object).some((owner) => owner.uid === uid && owner.blockOwnerDeletion),
      );
      if (blocking.length === 0) await dropFinalizer(stored, foregroundFinalizer);
    }
  };

  const emptyNamespace = async (namespace: Frozen): Promise<void> => {
    const name = namespace.metadata.name!;
    const contents = (): (Stored & { kind: KindDefinition })[] =>
      store.storages().flatMap((storage) => {
        const kind = registry.byStorage(storage);
        return kind?.type.namespaced ? store.list(storage, name).map((object) => ({ kind, storage, object })) : [];
      });
    for (const stored of contents()) await remove(stored);
    const left = contents();
    await store.update({ storage: namespaceStorage, namespace: undefined, name }, (current) => {
      if (!current || current.metadata.uid !== namespace.metadata.uid) return current;
      if (left.length > 0) return withConditions(current, left);
      if (!current.metadata.finalizers?.length) return undefined;
      return current['spec'].finalizers?.length ? { ...current, spec: { ...current['spec'], finalizers: [] } } : current;
    });
  };

  const emptyDefinition = async (definition: Stored): Promise<void> => {
    const { group, names } = definition.object['spec'];
    const storage = `${group}/${names.plural}`;
    for (const object of store.list(storage)) await remove({ storage, object });
    if (store.list(storage).length === 0) await dropFinalizer(definition, definitionFinalizer);
  };

  /** Does whatever follows from an object's being as it is by now. */
  const settle = async (id: string): Promise<void> => {
    const key = keyOf(id);
    const object = store.find(key);
    if (!object) return;
    const stored = { storage: key.storage, object };
    if (object.metadata.deletionTimestamp) {
      await finalize(stored);
      if (key.storage === namespaceStorage) await emptyNamespace(object);
      if (key.storage === definitionStorage && object.metadata.finalizers?.includes(definitionFinalizer)) await emptyDefinition(stored);
    }
    await release(stored);
  };
  // Again while it fails: the cause may be a full disk. What has changed or gone meanwhile has had an event of its own.
  const queue = createWorkQueue(
    (id) =>
      settle(id).catch((error: Error & { reason?: string }) => {
        if (error.reason !== 'NotFound' && error.reason !== 'Conflict') throw error;
      }),
    (_id, error) => log(`garbage collection: ${error.message}`),
  );

  const onEvent = (event: StoreEvent): void => {
    index(event);
    const { storage, object, type } = event;
    if (type !== 'DELETED') return queue.add(idOf(storage, object.metadata));
    for (const id of dependents.get(object.metadata.uid!) ?? []) queue.add(id);
    for (const { uid } of ownersOf(object)) {
      // Its owner may have waited for this.
      for (const kind of registry.all()) {
        const owner = ownersOf(object).find((reference) => reference.uid === uid && reference.kind === kind.type.kind);
        const found =
          owner &&
          store.find({ storage: kind.storage, namespace: kind.type.namespaced ? object.metadata.namespace : undefined, name: owner.name });
        if (found?.metadata.uid === uid) queue.add(idOf(kind.storage, found!.metadata));
      }
    }
    if (object.metadata.namespace !== undefined) queue.add(idOf(namespaceStorage, { name: object.metadata.namespace }));
    for (const definition of store.list(definitionStorage)) {
      if (definition.metadata.deletionTimestamp && storage === `${definition['spec'].group}/${definition['spec'].names.plural}`)
        queue.add(idOf(definitionStorage, definition.metadata));
    }
  };

  for (const storage of store.storages())
    for (const object of store.list(storage)) index({ storage, object, old: undefined, type: 'ADDED' });
  const unsubscribe = store.subscribe(onEvent);
  for (const storage of store.storages())
    if (registry.byStorage(storage)) for (const object of store.list(storage)) queue.add(idOf(storage, object.metadata));

  return {
    async close() {
      unsubscribe();
      await queue.close();
    },
  };
}

/** One text for where an object is stored: no part of it holds a space. */
function idOf(storage: string, { namespace = '', name }: ObjectMeta): string {
  return `${storage} ${namespace} ${name}`;
}

function keyOf(id: string): ObjectKey {
  const [storage = '', namespace, name = ''] = id.split(' ');
  return { storage, namespace: namespace || undefined, name };
}
