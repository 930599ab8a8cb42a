import {
  annotations,
  persistentVolumeClaims,
  secrets,
  serviceFinalizer,
  statefulServices,
  statefulSets,
  type KubeObject,
  type ResourceType,
  type StatefulService,
} from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../apply.ts';
import { isOwned, nameOf, namespaceOf } from '../ownership.ts';
import { unbindEveryApp } from '../app/bindings/unbind.ts';
import type { ReconcilerContext } from '../controller.ts';
import type { Observed } from './observe.ts';
import { wantsDataDeleted } from './deletion-request.ts';
import { isKept, isOfOtherType } from './ownership.ts';

/** How long to wait for a delete event before looking again. */
const lookAgainMs = 5_000;

/**
 * Stops the workload, then destroys the volume and its credentials when that was asked for, then lets the service go. Before data is
 * destroyed no app is bound to it any more. What it
 * made besides is collected by its owner reference.
 * @returns when to look again; undefined when the service is gone.
 */
export async function tearDown(context: ReconcilerContext, service: StatefulService, seen: Observed): Promise<number | undefined> {
  const { client } = context;
  if (!service.metadata?.finalizers?.includes(serviceFinalizer)) return undefined;
  const namespace = namespaceOf(service);
  // One that was made with the wrong type has never had the data that it found.
  const destroy = wantsDataDeleted(service) && ![seen.claim, seen.secret].some((object) => object && isOfOtherType(object, service));
  if (destroy) await unbindEveryApp(context, service);
  if (seen.statefulSet && isOwned(seen.statefulSet, service)) {
    await remove(client, statefulSets, seen.statefulSet, namespace);
    return lookAgainMs;
  }
  if (seen.pod && isKept(seen.pod, service)) return lookAgainMs;
  if (destroy) {
    const claim = seen.claim && isKept(seen.claim, service) ? seen.claim : undefined;
    const secret = seen.secret && isKept(seen.secret, service) ? seen.secret : undefined;
    if (claim) await remove(client, persistentVolumeClaims, claim, namespace);
    if (claim) return lookAgainMs;
    // Last, so that no failure in between leaves data that nobody has the password of.
    if (secret) await remove(client, secrets, secret, namespace);
  } else if (service.metadata.annotations?.[annotations.deleteData] !== undefined) {
    const message = 'Its data were asked to be deleted and are kept: they are of another type, or were asked for long before.';
    await context.recorder.record(statefulServices, service, 'Warning', 'DataKept', message);
  }
  await releaseService(client, service);
  return undefined;
}

async function remove<T extends KubeObject>(client: KubeClient, type: ResourceType<T>, object: T, namespace: string): Promise<void> {
  if (object.metadata?.deletionTimestamp) return;
  await client.delete(type, nameOf(object), { namespace, uid: object.metadata?.uid, propagation: 'Background' });
}

async function releaseService(client: KubeClient, service: StatefulService): Promise<void> {
  const finalizers = service.metadata?.finalizers?.filter((finalizer) => finalizer !== serviceFinalizer);
  try {
    await client.patch(
      statefulServices,
      nameOf(service),
      { metadata: { finalizers, resourceVersion: service.metadata?.resourceVersion } },
      { namespace: namespaceOf(service), fieldManager },
    );
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
