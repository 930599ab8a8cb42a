import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { nodes, pods } from '@skipper/api';
import { createInformer, hasReason, KubeError } from '@skipper/kube';
import type { KubeClient } from '@skipper/kube';
import type { Container, Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { NodeEndpoints, NodeHandle, NodeOptions, PodReference } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { openAddresses } from './addresses.ts';
import { ContainerError } from './environment.ts';
import { PodWorker, type PodEnvironment } from './pod-worker.ts';
import { openProcessRecords } from './process-records.ts';
import type { ContainerRunner } from './container-runner.ts';
import type { Owner } from './volumes.ts';

export const nodeName = 'kip';

/** Longest that a process of a killed cluster may take to stop before it is killed. */
const reapAfterMs = 10_000;

/**
 * Runs the pods of the cluster as processes on this machine.
 * @param options.dataDir for the pods' own folders and the records of their processes; readable by the pods' users.
 */
export async function startNode(client: KubeClient, { dataDir, enginesDir, images, log }: NodeOptions): Promise<NodeHandle> {
  const podsFolder = join(dataDir, 'pods');
  mkdirSync(podsFolder, { recursive: true, mode: 0o711 });
  mkdirSync(enginesDir, { recursive: true, mode: 0o755 });
  const records = openProcessRecords(join(dataDir, 'processes'));
  const reaped = records.reap(reapAfterMs);
  await registerNode(client);
  const environment: PodEnvironment = {
    client, nodeName, podsFolder, enginesDir, images, addresses: openAddresses(dataDir), records, recorder: createEventRecorder(client, 'node', log), log, reaped, ownerOf,
  };
  const workers = new Map<string, PodWorker>();
  const ending = new Map<string, Promise<void>>();
  let closing = false;

  /** A pod waits until the one that had its name before has ended: they would share a volume. */
  const begin = async (pod: Pod): Promise<void> => {
    const key = keyOf(pod);
    await ending.get(key);
    if (closing || workers.has(pod.metadata!.uid!)) return;
    const current = informer.get(pod.metadata!.name!, pod.metadata!.namespace);
    if (!current || current.metadata?.uid !== pod.metadata!.uid) return;
    const worker = new PodWorker(current, environment);
    workers.set(worker.uid, worker);
    if (current.metadata?.deletionTimestamp) return void end(worker, key, current.metadata.deletionGracePeriodSeconds ?? 0);
    if (!current.spec?.nodeName) await client.patch(pods, current.metadata!.name!, { spec: { nodeName } }, { namespace: current.metadata!.namespace! });
    environment.recorder.record({ apiVersion: 'v1', kind: 'Pod', ...pick(current) }, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${nodeName}`);
    await worker.start();
  };
  const end = (worker: PodWorker, key: string, graceSeconds: number): Promise<void> => {
    const done = worker.end(graceSeconds).catch((error: Error) => log(`pod ${key}: ${error.message}`)).then(() => {
      workers.delete(worker.uid);
      if (ending.get(key) === done) ending.delete(key);
    });
    ending.set(key, done);
    return done;
  };
  const onPod = (type: string, pod: Pod): Promise<void> | undefined => {
    const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata!;
    const worker = workers.get(uid!);
    if (!worker) return type === 'DELETED' ? undefined : begin(pod);
    worker.update(pod);
    // Gone without waiting for the node: whoever forced it does not want to wait.
    if (type === 'DELETED') void end(worker, keyOf(pod), Math.min(2, deletionGracePeriodSeconds ?? 2));
    else if (deletionTimestamp) void end(worker, keyOf(pod), deletionGracePeriodSeconds ?? 30);
    return undefined;
  };
  const informer = createInformer(client, pods, { log });
  const report = (key: string) => (error: Error) => {
    if (!closing && !hasReason(error, 'NotFound')) log(`pod ${key}: ${error.message}`);
  };
  const beginnings: Promise<void>[] = [];
  const unsubscribe = informer.subscribe(({ type, object }) => {
    const begun = onPod(type, object);
    if (begun) beginnings.push(begun.catch(report(keyOf(object))));
  });
  await informer.synced();
  await removeForgottenPods(podsFolder, new Set(informer.list().map((pod) => pod.metadata!.uid!)));
  await Promise.all(beginnings.splice(0));

  return {
    endpoints: endpointsOf((reference) => {
      const pod = informer.get(reference.name, reference.namespace);
      return pod && workers.get(pod.metadata!.uid!);
    }),
    async close() {
      closing = true;
      unsubscribe();
      informer.close();
      await Promise.all([...workers.values()].map((worker) => worker.stop(30).then(() => worker.closeLogs())));
      await Promise.all(ending.values());
    },
  };
}

function keyOf({ metadata }: Pod): string {
  return `${metadata!.namespace}/${metadata!.name}`;
}

function pick({ metadata }: Pod): { name: string; namespace: string; uid: string } {
  return { name: metadata!.name!, namespace: metadata!.namespace!, uid: metadata!.uid! };
}

/** Users of pods when the cluster runs as root: far above those that people and distributions give out, the same for a name for good. */
function ownerOf(pod: Pod, _container?: Container): Owner {
  if (process.getuid?.() !== 0) return { uid: undefined, gid: undefined };
  const hash = createHash('sha256').update(keyOf(pod)).digest().readUInt32BE(0);
  const id = 700_000 + (hash % 1_000_000);
  return { uid: id, gid: id };
}

async function removeForgottenPods(folder: string, known: ReadonlySet<string>): Promise<void> {
  await Promise.all(readdirSync(folder).filter((uid) => !known.has(uid)).map((uid) => rm(join(folder, uid), { recursive: true, force: true })));
}

async function registerNode(client: KubeClient): Promise<void> {
  const amounts = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: '250' };
  const now = new Date().toISOString();
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const node: Node = {
    metadata: { name: nodeName, labels: { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': process.platform, 'kubernetes.io/arch': architecture } },
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [{ type: 'Ready', status: 'True', reason: 'NodeReady', message: 'pods run as processes', lastHeartbeatTime: now, lastTransitionTime: now }],
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }, { type: 'Hostname', address: nodeName }],
      nodeInfo: {
        architecture, operatingSystem: process.platform, containerRuntimeVersion: `process://${process.version}`, kubeletVersion: 'v1.32.0', kubeProxyVersion: 'none',
        bootID: 'none', kernelVersion: release(), machineID: 'none', osImage: process.platform, systemUUID: 'none',
      },
    },
  };
  await client.create(nodes, { ...node, status: undefined }).catch((error: unknown) => {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  });
  await client.patch(nodes, nodeName, { status: node.status }, { subresource: 'status' });
}

function endpointsOf(find: (pod: PodReference) => PodWorker | undefined): NodeEndpoints {
  const requireWorker = (pod: PodReference): PodWorker => {
    const worker = find(pod);
    if (!worker) throw failure(404, 'NotFound', `pods "${pod.name}" not found`);
    return worker;
  };
  const requireRunner = (pod: PodReference, container: string | undefined): ContainerRunner => {
    const runner = requireWorker(pod).runner(container);
    if (!runner) throw failure(400, 'BadRequest', `container ${container ?? ''} is not valid for pod ${pod.name}`);
    return runner;
  };
  return {
    async log(pod, options) {
      const runner = requireRunner(pod, options.container);
      const { state } = runner.status;
      if (state?.waiting && !options.previous && runner.status.restartCount === 0) {
        throw failure(400, 'BadRequest', `container "${runner.container.name}" in pod "${pod.name}" is waiting to start: ${state.waiting.message ?? state.waiting.reason}`);
      }
      return runner.log.read(options);
    },
    async exec(pod, options) {
      const runner = requireRunner(pod, options.container);
      if (options.tty) throw failure(400, 'BadRequest', 'a terminal (tty) is not supported here; leave out -t');
      try {
        return await runner.exec(options);
      } catch (error) {
        throw error instanceof ContainerError ? failure(400, 'BadRequest', error.message) : error;
      }
    },
    async dial(pod, port) {
      const worker = requireWorker(pod);
      return new Promise<Socket>((resolve, reject) => {
        const socket = connect({ host: worker.podIP, port, noDelay: true, allowHalfOpen: true });
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
      });
    },
  };
}

function failure(code: number, reason: string, message: string): KubeError {
  return new KubeError(code, { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message, metadata: {} });
}
