import type { ApiObject, KindDefinition } from '../../contracts.ts';
import type { Frozen } from '../store/object-store.ts';
import { conflict, notFound } from './failures.ts';
import type { ObjectWriter } from './object-writer.ts';
import { isGone, keyOf, seconds } from './stored-object.ts';

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  uid?: string;
  resourceVersion?: string;
  dryRun: boolean;
}

/** Finalizers by which the garbage collector is asked to look after what an object owns, before it goes. */
export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

/**
 * Deletes an object, or marks it as going when something has to happen before.
 * @returns the object, and whether it is gone.
 * @throws a 404 failure, or 409 when a precondition does not hold.
 */
export async function deleteObject(
  writer: ObjectWriter,
  kind: KindDefinition,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions,
): Promise<{ object: Frozen; gone: boolean }> {
  let result: { object: Frozen; gone: boolean } | undefined;
  const stored = await writer.store.update(keyOf(kind, namespace, name), (current) => {
    if (!current) throw notFound(kind, name);
    const { uid, resourceVersion } = current.metadata;
    if (options.uid && options.uid !== uid)
      throw conflict(kind, name, `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`);
    if (options.resourceVersion && options.resourceVersion !== resourceVersion) {
      throw conflict(
        kind,
        name,
        `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
      );
    }
    kind.strategy.admit?.('delete', current as ApiObject, writer.context);
    const next = marked(kind, current, options, writer.context.now());
    const gone = isGone(next);
    result = { object: gone ? current : next, gone };
    return options.dryRun ? current : gone ? undefined : next;
  });
  return { object: options.dryRun || result!.gone ? result!.object : stored!, gone: result!.gone };
}

/** The object as it is once its deletion has been asked for; the same when that changes nothing. */
function marked(kind: KindDefinition, current: Frozen, options: DeleteOptions, now: Date): Frozen {
  const { metadata } = current;
  const grace = kind.strategy.gracePeriodSeconds?.(structuredClone(current) as ApiObject, options.gracePeriodSeconds) ?? 0;
  const finalizers = finalizersOf(metadata.finalizers ?? [], options.propagationPolicy);
  const left = metadata.deletionTimestamp === undefined ? grace : Math.min(metadata.deletionGracePeriodSeconds ?? 0, grace);
  const sameFinalizers =
    finalizers.length === (metadata.finalizers ?? []).length && finalizers.every((name) => metadata.finalizers?.includes(name));
  if (metadata.deletionTimestamp !== undefined && sameFinalizers && left === (metadata.deletionGracePeriodSeconds ?? 0)) return current;
  const next = structuredClone(current) as ApiObject;
  next.metadata.finalizers = finalizers;
  if (finalizers.length === 0) delete next.metadata.finalizers;
  next.metadata.deletionTimestamp ??= seconds(new Date(now.getTime() + left * 1000)) as never;
  next.metadata.deletionGracePeriodSeconds = left;
  if (metadata.deletionTimestamp === undefined && next.metadata.generation !== undefined) next.metadata.generation += 1;
  if (kind.storage === 'core/namespaces') next['status'] = { ...next['status'], phase: 'Terminating' };
  return next;
}

function finalizersOf(finalizers: readonly string[], policy: DeleteOptions['propagationPolicy']): string[] {
  if (policy === undefined) return [...finalizers];
  const others = finalizers.filter((name) => name !== orphanFinalizer && name !== foregroundFinalizer);
  if (policy === 'Orphan') return [...others, orphanFinalizer];
  return policy === 'Foreground' ? [...others, foregroundFinalizer] : others;
}
