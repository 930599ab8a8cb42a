import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KipError, pods, type ImageResolver } from '@skipper/api';
import { createInformer, hasReason, type KubeClient } from '@skipper/kube';
import type { ObjectReference, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log, NodeEndpoints } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { makePassableFolder } from '../passable-folder.ts';
import { openAddresses } from './addresses.ts';
import { createBackOff } from './back-off.ts';
import { removeFolder } from './folder-removal.ts';
import { nodeName, registerNode } from './node-object.ts';
import { podEndpoints } from './pod-endpoints.ts';
import { ownerOf } from './pod-owner.ts';
import type { PodEnvironment } from './pod-environment.ts';
import { PodWorker } from './pod-worker.ts';
import { findPrivateHosts, type PrivateHosts } from './private-hosts.ts';
import { openProcessRecords } from './process-records.ts';
import { createScheduler } from './scheduler.ts';
import { createServiceHosts } from './service-hosts.ts';

/** Longest that a process of a killed cluster may take to stop before it is killed. */
const reapAfterMs = 10_000;
/** A pod that is gone from the API by force has this long left. */
const forcedGraceSeconds = 2;
const begunWithinMs = 2_000;

interface NodeOptions {
  dataDir: string;
  enginesDir: string;
  images: ImageResolver;
  log: Log;
}

export interface NodeHandle {
  endpoints: NodeEndpoints;
  /** Stops every pod's processes gracefully; the pods stay in the API and start again next time. */
  close(): Promise<void>;
}

/**
 * Runs the pods of the cluster as processes on this machine.
 * @param options.dataDir for the pods' own folders and the records of their processes; readable by the pods' users.
 */
export async function startNode(client: KubeClient, { dataDir, enginesDir, images, log }: NodeOptions): Promise<NodeHandle> {
  const podsFolder = join(dataDir, 'pods');
  makePassableFolder(podsFolder, 0o711);
  makePassableFolder(enginesDir, 0o755);
  const records = openProcessRecords(join(dataDir, 'processes'));
  const reaped = records.reap(reapAfterMs);
  await registerNode(client);
  const closing = new AbortController();
  const recorder = createEventRecorder(client, 'node', log);
  const serviceHosts = createServiceHosts(client, log);
  let privateHosts: Promise<PrivateHosts | string> | undefined;
  const tellOfPrivateHosts = (found: PrivateHosts | string): PrivateHosts | string => {
    if (typeof found === 'string') log(`names of Services will not resolve in processes of this machine: ${found}`);
    return found;
  };
  const scheduler = createScheduler(client, recorder, (pod) => void begin(pod), log);
  const environment: PodEnvironment = {
    client,
    nodeName,
    podsFolder,
    enginesDir,
    images,
    addresses: openAddresses(dataDir),
    records,
    recorder,
    log,
    reaped,
    closing: closing.signal,
    ownerOf: (pod) => ownerOf(pod, images),
    podsOfPort: (port) => [...workers.values()].filter(({ containers }) => containers.runWith(port)).map(({ key }) => key),
    serviceHosts,
    privateHosts: () => (privateHosts ??= findPrivateHosts(dataDir).then(tellOfPrivateHosts)),
  };
  const workers = new Map<string, PodWorker>();
  const ending = new Map<string, Promise<void>>();
  const beginning = new Set<string>();

  /** A pod waits until the one that had its name or one of its claims before has ended: nothing is opened twice. */
  const begin = async (pod: Pod): Promise<void> => {
    const key = keyOf(pod);
    const uid = pod.metadata!.uid!;
    if (beginning.has(uid)) return;
    beginning.add(uid);
    try {
      for (
        const backOff = createBackOff(100, 10_000);
        !closing.signal.aborted;
        await delay(backOff.next(), undefined, { signal: closing.signal }).catch(() => undefined)
      ) {
        await Promise.all(holdsOf(pod).map((hold) => ending.get(hold)));
        const current = informer.get(pod.metadata!.name!, pod.metadata!.namespace);
        if (current?.metadata?.uid !== uid || closing.signal.aborted) return;
        try {
          return await beginNow(current);
        } catch (error) {
          if (hasReason(error, 'NotFound')) return;
          recorder.record(referenceTo(current), 'Warning', 'FailedCreatePodSandBox', messageOf(error as Error));
          log(`pod ${key}: ${(error as Error).message}`);
        }
      }
    } finally {
      beginning.delete(uid);
    }
  };
  const beginNow = async (pod: Pod): Promise<void> => {
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata!;
    if (!pod.spec?.nodeName && !deletionTimestamp && !(await scheduler.assign(pod))) return;
    const worker = new PodWorker(pod, environment);
    workers.set(worker.uid, worker);
    if (deletionTimestamp) void end(worker, pod, deletionGracePeriodSeconds ?? 0);
    else await worker.start();
  };
  const end = (worker: PodWorker, pod: Pod, graceSeconds: number): Promise<void> => {
    const holds = holdsOf(pod);
    const others = holds.map((hold) => ending.get(hold));
    const done: Promise<void> = Promise.all([
      ...others,
      worker.end(graceSeconds).catch((error: Error) => log(`pod ${keyOf(pod)}: ${error.message}`)),
    ]).then(() => {
      workers.delete(worker.uid);
      for (const hold of holds) if (ending.get(hold) === done) ending.delete(hold);
    });
    for (const hold of holds) ending.set(hold, done);
    return done;
  };
  const onPod = (type: string, pod: Pod): Promise<void> | undefined => {
    const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata!;
    if (pod.spec?.nodeName && pod.spec.nodeName !== nodeName) return undefined;
    if (type === 'DELETED') scheduler.forget(pod);
    const worker = workers.get(uid!);
    if (!worker) return type === 'DELETED' ? undefined : begin(pod);
    worker.update(pod);
    if (type === 'DELETED') {
      // Gone without waiting for the node, where it was not the node itself that let it go.
      const impatient = setTimeout(() => worker.kill(), forcedGraceSeconds * 1000);
      void end(worker, pod, forcedGraceSeconds).then(() => clearTimeout(impatient));
    } else if (deletionTimestamp) void end(worker, pod, deletionGracePeriodSeconds ?? 30);
    return undefined;
  };
  const informer = createInformer(client, pods, { log });
  let beginnings: Promise<void>[] | undefined = [];
  const unsubscribe = informer.subscribe(({ type, object }) => {
    const begun = onPod(type, object);
    if (begun) beginnings?.push(begun);
  });
  await informer.synced();
  const known = new Set(informer.list().map((pod) => pod.metadata!.uid!));
  const forgotten = readdirSync(podsFolder).filter((uid) => !known.has(uid));
  await Promise.all(forgotten.map((uid) => removeFolder(join(podsFolder, uid), log)));
  // A killed cluster left pods ready that do not run: who comes now shall not be told so.
  await Promise.race([Promise.all(beginnings), delay(begunWithinMs, undefined, { ref: false })]);
  beginnings = undefined;

  return {
    endpoints: podEndpoints((reference) => {
      const pod = informer.get(reference.name, reference.namespace);
      return pod && workers.get(pod.metadata!.uid!);
    }),
    async close() {
      closing.abort();
      unsubscribe();
      informer.close();
      scheduler.close();
      await Promise.all([...workers.values()].map((worker) => worker.stop()));
      await Promise.all(ending.values());
      serviceHosts.stop();
    },
  };
}

function keyOf({ metadata }: Pod): string {
  return `${metadata!.namespace}/${metadata!.name}`;
}

/** What no two pods hold at a time: a name, and claims. */
function holdsOf(pod: Pod): string[] {
  const claims = (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
  return [keyOf(pod), ...claims.map((claim) => `claim ${pod.metadata!.namespace}/${claim}`)];
}

function referenceTo({ metadata }: Pod): ObjectReference {
  return { apiVersion: 'v1', kind: 'Pod', name: metadata!.name!, namespace: metadata!.namespace!, uid: metadata!.uid! };
}

function messageOf(error: Error): string {
  return error instanceof KipError && error.hint ? `${error.message} ${error.hint}` : error.message;
}
