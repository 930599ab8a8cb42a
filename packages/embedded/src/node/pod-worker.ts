import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { pods, type ContainerContext, type ImageResolver } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Container, ObjectReference, Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import type { EventRecorder } from '../event-recorder.ts';
import type { Addresses } from './addresses.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerRunner, type ContainerHost } from './container-runner.ts';
import { ContainerError, environmentOf, expand, referencesOf } from './environment.ts';
import { podStatusOf } from './pod-status.ts';
import type { ProcessRecords } from './process-records.ts';
import { hostPathsOf, makeVolumes, type Owner, type VolumePaths } from './volumes.ts';

/** What every pod of the node shares. */
export interface PodEnvironment {
  readonly client: KubeClient;
  readonly nodeName: string;
  /** Below it each pod has a folder, named by its uid. */
  readonly podsFolder: string;
  readonly enginesDir: string;
  readonly images: ImageResolver;
  readonly addresses: Addresses;
  readonly records: ProcessRecords;
  readonly recorder: EventRecorder;
  readonly log: Log;
  /** Resolves when no process of a former cluster is left. */
  readonly reaped: Promise<void>;
  ownerOf(pod: Pod, container?: Container): Owner;
}

/** A pod's whole life on the node, from its creation to its deletion. */
export class PodWorker {
  readonly uid: string;
  readonly #environment: PodEnvironment;
  readonly #stopping = new AbortController();
  readonly #folder: string;
  readonly #reference: ObjectReference;
  #pod: Pod;
  #podIP: string;
  #initialized = false;
  #finished: 'Succeeded' | 'Failed' | undefined;
  #message: string | undefined;
  #runners: ContainerRunner[] = [];
  #initRunners: ContainerRunner[] = [];
  #writing: Promise<void> | undefined;
  #dirty = false;
  #ending: Promise<void> | undefined;
  #living: Promise<void> = Promise.resolve();

  constructor(pod: Pod, environment: PodEnvironment) {
    this.#pod = pod;
    this.#environment = environment;
    const { name, namespace, uid } = pod.metadata!;
    this.uid = uid!;
    this.#folder = join(environment.podsFolder, this.uid);
    this.#reference = { apiVersion: 'v1', kind: 'Pod', name, namespace, uid };
    this.#podIP = environment.addresses.take(pod.status?.podIP);
    const { phase } = pod.status ?? {};
    if (phase === 'Succeeded' || phase === 'Failed') this.#finished = phase;
    const previous = new Map([...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].map((status) => [status.name, status]));
    const runner = (container: Container): ContainerRunner => {
      const before = previous.get(container.name);
      const ranBefore = before !== undefined && (before.state?.running !== undefined || before.state?.terminated !== undefined);
      return new ContainerRunner(container, new ContainerLog(join(this.#folder, 'logs', container.name)), this.#host(), (before?.restartCount ?? 0) + (ranBefore ? 1 : 0));
    };
    this.#initRunners = (pod.spec?.initContainers ?? []).map(runner);
    this.#runners = (pod.spec?.containers ?? []).map(runner);
  }

  get podIP(): string {
    return this.#podIP;
  }

  /** Begins. Resolves when the API knows that nothing of the pod is ready yet, which a killed cluster may have left behind. */
  async start(): Promise<void> {
    if (!this.#finished) await this.#flush();
    this.#living = this.#live().catch((error: Error) => {
      if (!this.#stopping.signal.aborted) this.#environment.log(`pod ${this.#reference.namespace}/${this.#reference.name}: ${error.stack ?? error.message}`);
    });
  }

  /** Takes notice of a newer version of the pod. */
  update(pod: Pod): void {
    this.#pod = pod;
  }

  runner(container: string | undefined): ContainerRunner | undefined {
    const all = [...this.#runners, ...this.#initRunners];
    return container === undefined ? all[0] : all.find((runner) => runner.container.name === container);
  }

  async #live(): Promise<void> {
    await this.#environment.reaped;
    const { signal } = this.#stopping;
    if (this.#finished || signal.aborted) return;
    const volumes = await this.#volumes(signal);
    if (!volumes) return;
    this.#volumePaths = volumes;
    for (const runner of this.#initRunners) {
      await runner.run();
      if (signal.aborted) return;
      if (runner.exitCode !== 0) return this.#finish('Failed');
    }
    this.#initialized = true;
    this.#changed();
    await Promise.all(this.#runners.map((runner) => runner.run()));
    if (!signal.aborted) this.#finish(this.#runners.every(({ exitCode }) => exitCode === 0) ? 'Succeeded' : 'Failed');
  }

  #volumePaths: VolumePaths = new Map();

  async #volumes(signal: AbortSignal): Promise<VolumePaths | undefined> {
    const { client, ownerOf } = this.#environment;
    for (let wait = 50; !signal.aborted; wait = Math.min(wait * 2, 5_000)) {
      try {
        const volumes = await makeVolumes(client, this.#pod, this.#folder, ownerOf(this.#pod), referencesOf(client, this.#reference.namespace!));
        this.#message = undefined;
        return volumes;
      } catch (error) {
        const message = (error as Error).message;
        // A claim that is not bound yet is the way of things; told when it lasts.
        if (wait > 1_000 || !(error instanceof ContainerError)) {
          if (this.#message !== message) this.#environment.recorder.record(this.#reference, 'Warning', 'FailedMount', message);
          this.#message = message;
          this.#changed();
        }
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  #finish(phase: 'Succeeded' | 'Failed'): void {
    this.#finished = phase;
    this.#changed();
  }

  #host(): ContainerHost {
    const { images, enginesDir, records, recorder } = this.#environment;
    return {
      key: this.uid,
      images,
      enginesDir,
      records,
      graceSeconds: this.#pod.spec?.terminationGracePeriodSeconds ?? 30,
      restartPolicy: (this.#pod.spec?.restartPolicy as 'Always' | undefined) ?? 'Always',
      context: (container, signal) => this.#context(container, signal),
      changed: () => this.#changed(),
      event: (type, reason, message) => recorder.record(this.#reference, type, reason, message),
    };
  }

  async #context(container: Container, signal: AbortSignal): Promise<Omit<ContainerContext, 'run'>> {
    const { client, enginesDir, ownerOf } = this.#environment;
    const owner = ownerOf(this.#pod, container);
    const env = await environmentOf(this.#pod, this.#podIP, container, referencesOf(client, this.#reference.namespace!));
    return {
      enginesDir,
      namespace: this.#reference.namespace!,
      podName: this.#reference.name!,
      containerName: container.name,
      podIP: this.#podIP,
      env,
      command: container.command?.map((word) => expand(word, env)),
      args: container.args?.map((word) => expand(word, env)),
      hostPath: await hostPathsOf(container, this.#volumePaths, join(this.#folder, 'root', container.name), owner),
      ...owner,
      signal,
    };
  }

  #changed(): void {
    this.#dirty = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      if (this.#dirty && !this.#ending) this.#changed();
    });
  }

  /** Writes until what is written is what is; one request at a time. */
  async #write(): Promise<void> {
    await Promise.resolve();
    for (let wait = 100; this.#dirty && !this.#ending; ) {
      this.#dirty = false;
      try {
        await this.#flush();
        wait = 100;
      } catch (error) {
        if (hasReason(error, 'NotFound')) return;
        this.#dirty = true;
        await delay(wait);
        wait = Math.min(wait * 2, 5_000);
      }
    }
  }

  async #flush(): Promise<void> {
    const next = podStatusOf(this.#pod, {
      podIP: this.#podIP,
      initialized: this.#initialized,
      finished: this.#finished,
      initContainers: this.#initRunners.map(({ status }) => status),
      containers: this.#runners.map(({ status }) => status),
      message: this.#message,
    }, new Date().toISOString());
    const status = JSON.parse(JSON.stringify(next)) as PodStatus;
    if (isDeepStrictEqual(status, this.#pod.status)) return;
    const { name, namespace } = this.#reference;
    // A field that is gone has to be named, or the merge keeps it.
    const gone = Object.fromEntries(Object.keys(this.#pod.status ?? {}).filter((key) => !(key in status)).map((key) => [key, null]));
    this.#pod = await this.#environment.client.patch(pods, name!, { metadata: { uid: this.uid }, status: { ...gone, ...status } }, { namespace: namespace!, subresource: 'status' });
  }

  /** Stops the processes; the pod stays in the API. */
  async stop(graceSeconds: number): Promise<void> {
    this.#stopping.abort();
    if (this.#runners.some(({ status }) => status.state?.running)) this.#environment.recorder.record(this.#reference, 'Normal', 'Killing', 'Stopping the pod');
    await Promise.all([...this.#initRunners, ...this.#runners].map((runner) => runner.stop(graceSeconds)));
    await this.#living;
    await this.#writing;
    this.#environment.addresses.release(this.#podIP);
  }

  /** Stops the processes, then removes what the node keeps of the pod and tells the API that it is gone. */
  end(graceSeconds: number): Promise<void> {
    this.#ending ??= this.#end(graceSeconds);
    return this.#ending;
  }

  async #end(graceSeconds: number): Promise<void> {
    await this.stop(graceSeconds);
    for (const { log } of [...this.#initRunners, ...this.#runners]) log.close();
    await rm(this.#folder, { recursive: true, force: true });
    const { name, namespace } = this.#reference;
    for (let wait = 100; ; wait = Math.min(wait * 2, 5_000)) {
      try {
        await this.#environment.client.delete(pods, name!, { namespace: namespace!, uid: this.uid, gracePeriodSeconds: 0 });
        return;
      } catch (error) {
        // Another pod has the name now: this one is gone.
        if (hasReason(error, 'Conflict', 'NotFound')) return;
        await delay(wait);
      }
    }
  }

  closeLogs(): void {
    for (const { log } of [...this.#initRunners, ...this.#runners]) log.close();
  }
}
