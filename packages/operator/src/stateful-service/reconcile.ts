import type { PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import {
  childNames,
  conditionTypes,
  labels,
  networkPolicies,
  persistentVolumeClaims,
  pods,
  secrets,
  serviceFinalizer,
  services,
  statefulServices,
  statefulSets,
  storageClasses,
  type StatefulService,
} from '@skipper/api';
import { findEngine, type Engine } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';
import { ensure, fieldManager, rejectionOf } from '../apply.ts';
import { isFalse, isTrue, type Judgement } from '../conditions.ts';
import { lookForFreedNamesMs, retryRejectedMs, type ReconcilerContext } from '../controller.ts';
import { imageFor, imagesName, systemNamespace } from '../images.ts';
import { nameOf, nameProblem, namespaceOf } from '../ownership.ts';
import { newPassword } from '../passwords.ts';
import { report } from '../status.ts';
import type { Outcome } from '../work-queue.ts';
import { credentialsProblem, credentialsSecret } from './credentials.ts';
import { headlessService, networkPolicy } from './network.ts';
import { observe, type Observed } from './observe.ts';
import { forgetDeletionRequest } from './deletion-request.ts';
import { foreignObjects } from './ownership.ts';
import { statusOf, type Findings } from './status.ts';
import { dataClaim, decideStorage, versionOnVolume } from './storage.ts';
import { tearDown } from './tear-down.ts';
import { isOutdated, workloadState } from './workload-state.ts';
import { statefulSet } from './workload.ts';

/** Brings one service a step nearer to what its spec wants, and reports. */
export async function reconcileStatefulService(context: ReconcilerContext, namespace: string, name: string): Promise<Outcome> {
  const service = context.caches.statefulServices.get(name, namespace);
  if (!service) return {};
  const seen = await observe(context.client, context.caches, namespace, name);
  if (service.metadata?.deletionTimestamp) return { requeueAfterMs: await tearDown(context, service, seen) };
  await holdService(context.client, service);
  const { findings, requeueAfterMs } = await act(context, service, seen);
  await report(context, statefulServices, service, statusOf(service, findings, context.now()));
  const requestEndsInMs = await forgetDeletionRequest(context, service);
  return { requeueAfterMs: requeueAfterMs ?? requestEndsInMs };
}

interface Pass {
  findings: Findings;
  requeueAfterMs?: number;
}

async function act(context: ReconcilerContext, service: StatefulService, seen: Observed): Promise<Pass> {
  const engine = findEngine(service.spec.type);
  if (!engine)
    return blocked(
      isFalse(
        conditionTypes.workloadReady,
        'UnsupportedType',
        `Services of type "${service.spec.type}" cannot be made by this version of Skipper.`,
      ),
    );

  const foreign = foreignObjects(service, seen);
  if (foreign.length > 0) {
    const { reason, message } = nameProblem(foreign, service, 'service');
    return blocked(isFalse(conditionTypes.nameFree, reason, message), lookForFreedNamesMs);
  }
  const nameFree = isTrue(conditionTypes.nameFree, 'NameFree', 'Nothing else uses the names of its objects.');

  const held = versionOnVolume(seen.claim, seen.pod);
  const version = service.spec.version ?? held ?? engine.defaultVersion;
  const refusal = engine.refuses(version) ?? (held === undefined ? undefined : engine.refusesChange(held, version));
  const credentials = credentialsProblem(service, engine, seen.secret, seen.claim !== undefined);
  const storage = seen.claim
    ? `${seen.claim.status?.capacity?.['storage'] ?? seen.claim.spec?.resources?.requests?.['storage']}`
    : undefined;
  const basis = { engine, version: held ?? version, storage, bound: seen.secret !== undefined };
  if (credentials)
    return {
      findings: { ...basis, judgements: [nameFree, isFalse(conditionTypes.credentialsReady, credentials.reason, credentials.message)] },
    };
  if (refusal !== undefined)
    return { findings: { ...basis, judgements: [nameFree, isFalse(conditionTypes.workloadReady, 'VersionRefused', refusal)] } };
  // Processes of the machine come from no registry.
  const image = imageFor(engine, version, context.processes ? undefined : context.caches.images.get(imagesName, systemNamespace));
  if ('problem' in image)
    return { findings: { ...basis, judgements: [nameFree, isFalse(conditionTypes.workloadReady, 'ImageRefused', image.problem)] } };

  try {
    const { claim, judgements } = await makeObjects(context, service, seen, { engine, version, held, image: image.image });
    const isRejected = judgements.some(({ reason }) => reason === 'Rejected');
    return {
      findings: { ...basis, version, bound: true, storage: storage ?? sizeOf(claim), judgements: [nameFree, ...judgements] },
      ...(isRejected ? { requeueAfterMs: retryRejectedMs } : {}),
    };
  } catch (error) {
    const rejection = rejectionOf(error);
    if (rejection === undefined) throw error;
    const rejected = isFalse(conditionTypes.workloadReady, 'Rejected', rejection);
    return { findings: { ...basis, judgements: [nameFree, rejected] }, requeueAfterMs: retryRejectedMs };
  }
}

/** Makes all that a service needs against which nothing speaks. @param held the version on the volume */
async function makeObjects(
  context: ReconcilerContext,
  service: StatefulService,
  seen: Observed,
  { engine, version, held, image }: { engine: Engine; version: string; held: string | undefined; image: string },
): Promise<{ claim: PersistentVolumeClaim; judgements: Judgement[] }> {
  const { client } = context;
  // Secret, then claim: a claim without a Secret means that the password of its data is lost.
  if (!seen.secret) await client.create(secrets, credentialsSecret(service, engine, newPassword()), { fieldManager });
  const credentialsReady = isTrue(
    conditionTypes.credentialsReady,
    'CredentialsReady',
    `The connection details are in the Secret "${childNames.credentials(nameOf(service))}".`,
  );
  const claim = seen.claim ?? (await client.create(persistentVolumeClaims, dataClaim(service, engine), { fieldManager }));
  if (seen.claim && !seen.statefulSet && isOlder(seen.claim, service)) {
    await context.recorder.record(
      statefulServices,
      service,
      'Normal',
      'Adopted',
      `Took over the volume claim "${nameOf(seen.claim)}" and its credentials, which an earlier service left.`,
    );
  }
  if (seen.claim && held !== undefined) await noteVersion(client, seen.claim, held);
  const storageReady = await settleStorage(client, service, claim);

  await ensure(client, services, seen.headlessService, headlessService(service, engine));
  await ensure(client, networkPolicies, seen.networkPolicy, networkPolicy(service, engine));
  await ensure(client, statefulSets, seen.statefulSet, statefulSet(service, engine, version, image));
  if (seen.statefulSet && seen.pod) await replaceStuckPod(client, seen.statefulSet, seen.pod);

  const state = workloadState(seen.statefulSet, seen.pod);
  const workload = state.ready
    ? isTrue(conditionTypes.workloadReady, state.reason, `${engine.title} ${version} runs and accepts connections.`)
    : isFalse(conditionTypes.workloadReady, state.reason, state.message);
  return { claim, judgements: [credentialsReady, storageReady, workload] };
}

function blocked(judgement: Judgement, requeueAfterMs?: number): Pass {
  return { findings: { judgements: [judgement], bound: false }, requeueAfterMs };
}

async function holdService(client: KubeClient, service: StatefulService): Promise<void> {
  const finalizers = service.metadata?.finalizers ?? [];
  if (finalizers.includes(serviceFinalizer)) return;
  await client.patch(
    statefulServices,
    nameOf(service),
    { metadata: { finalizers: [...finalizers, serviceFinalizer], resourceVersion: service.metadata?.resourceVersion } },
    { namespace: namespaceOf(service), fieldManager },
  );
}

/** A version that could not even start has touched nothing, and may be taken back. */
async function noteVersion(client: KubeClient, claim: PersistentVolumeClaim, version: string): Promise<void> {
  if (claim.metadata?.labels?.[labels.version] === version) return;
  await client.patch(
    persistentVolumeClaims,
    nameOf(claim),
    { metadata: { labels: { [labels.version]: version } } },
    { namespace: namespaceOf(claim), fieldManager },
  );
}

/** Asks for growth where the storage class allows it. */
async function settleStorage(client: KubeClient, service: StatefulService, claim: PersistentVolumeClaim): Promise<Judgement> {
  const type = conditionTypes.storageReady;
  const decision = decideStorage(service, claim);
  const current = sizeOf(claim);
  if (decision.kind === 'enough') return isTrue(type, 'StorageReady', `The volume has ${current}.`);
  if (decision.kind === 'larger') return isTrue(type, 'LargerThanWanted', `The volume keeps its ${decision.size}: volumes cannot shrink.`);
  if (decision.kind === 'growing') {
    const pending = claim.status?.conditions?.find((condition) => condition.status === 'True')?.message;
    return isFalse(type, 'Resizing', `The volume grows to ${decision.size}.${pending ? ` ${pending}` : ''}`);
  }
  if (!(await mayGrow(client, claim))) {
    return isFalse(
      type,
      'ExpansionUnsupported',
      `The volume keeps its ${current}: its storage class "${claim.spec?.storageClassName ?? ''}" does not allow volumes to grow. To have more, move the data to a new service of that size.`,
    );
  }
  // The API server takes no other size before.
  if (claim.status?.phase !== 'Bound') return isFalse(type, 'Resizing', `The volume grows to ${decision.size} once it is bound.`);
  try {
    await client.patch(
      persistentVolumeClaims,
      nameOf(claim),
      { spec: { resources: { requests: { storage: decision.size } } } },
      { namespace: namespaceOf(claim), fieldManager },
    );
  } catch (error) {
    const rejection = rejectionOf(error);
    if (rejection === undefined) throw error;
    return isFalse(type, 'Rejected', rejection);
  }
  return isFalse(type, 'Resizing', `The volume grows from ${current} to ${decision.size}.`);
}

async function mayGrow(client: KubeClient, claim: PersistentVolumeClaim): Promise<boolean> {
  const name = claim.spec?.storageClassName;
  if (!name) return false;
  return (await client.find(storageClasses, name))?.allowVolumeExpansion === true;
}

/** A StatefulSet waits for a pod to be Ready before it replaces it, so a pod that can never be Ready would keep its mended successor away. https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback */
async function replaceStuckPod(client: KubeClient, set: StatefulSet, pod: Pod): Promise<void> {
  const ready = pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  if (ready || pod.metadata?.deletionTimestamp || set.status?.observedGeneration !== set.metadata?.generation || !isOutdated(set, pod))
    return;
  await client.delete(pods, nameOf(pod), { namespace: namespaceOf(pod), uid: pod.metadata?.uid });
}

function sizeOf(claim: PersistentVolumeClaim): string {
  return `${claim.status?.capacity?.['storage'] ?? claim.spec?.resources?.requests?.['storage'] ?? ''}`;
}

function isOlder(claim: PersistentVolumeClaim, service: StatefulService): boolean {
  return Date.parse(`${claim.metadata?.creationTimestamp}`) < Date.parse(`${service.metadata?.creationTimestamp}`);
}
