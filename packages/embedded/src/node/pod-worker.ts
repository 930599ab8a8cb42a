import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pods, type ImageResolver } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Container, ObjectReference, Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import type { EventRecorder } from '../event-recorder.ts';
import type { Addresses } from './addresses.ts';
import { createBackOff } from './back-off.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerHost, RunContext } from './container-host.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerRunner, type RestartPolicy } from './container-runner.ts';
import { environmentOf, expand } from './environment.ts';
import { hostContext, hostsFileOf, type HostSupport } from './host-context.ts';
import { hostPathsOf } from './mounts.ts';
import { makePassable, type Owner } from './ownership.ts';
import { podStatusOf } from './pod-status.ts';
import type { ProcessRecords } from './process-records.ts';
import { referencesOf } from './references.ts';
import { StatusWriter } from './status-writer.ts';
import { makeVolumes, type VolumePaths } from './volumes.ts';

/** What every pod of the node shares. */
export interface PodEnvironment extends HostSupport {
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
  /** Aborts when the cluster ends. */
  readonly closing: AbortSignal;
  ownerOf(pod: Pod): Owner;
  /** Pods whose containers run and declare a port. */
  podsOfPort(port: number): string[];
}

const volumeBackOff = { firstMs: 50, longestMs: 5_000 };
/** A claim that is not bound yet is the way of things; it is told when it lasts. */
const toldAfterMs = 1_000;
const lastStatusWithinMs = 2_000;

/** A pod's whole life on the node, from its creation to its deletion. */
export class PodWorker {
  readonly uid: string;
  readonly podIP: string;
  readonly #environment: PodEnvironment;
  readonly #stopping = new AbortController();
  readonly #folder: string;
  readonly #owner: Owner;
  readonly #reference: ObjectReference;
  readonly #status: StatusWriter;
  readonly #runners: ContainerRunner[];
  readonly #initRunners: ContainerRunner[];
  #pod: Pod;
  #initialized = false;
  #finished: 'Succeeded' | 'Failed' | undefined;
  #message: string | undefined;
  #volumePaths: VolumePaths = new Map();
  #ending: Promise<void> | undefined;
  #living: Promise<void> = Promise.resolve();

  /** @throws KipError `unsupported` when the machine has no address for the pod. */
  constructor(pod: Pod, environment: PodEnvironment) {
    this.#pod = pod;
    this.#environment = environment;
    const { name, namespace, uid } = pod.metadata!;
    this.uid = uid!;
    this.#folder = join(environment.podsFolder, this.uid);
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 });
    this.#owner = environment.ownerOf(pod);
    this.#reference = { apiVersion: 'v1', kind: 'Pod', name, namespace, uid };
    const { phase } = pod.status ?? {};
    if (phase === 'Succeeded' || phase === 'Failed') this.#finished = phase;
    const before = new Map(
      [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].map((status) => [status.name, status]),
    );
    const host = this.#host();
    const policy = (pod.spec?.restartPolicy as RestartPolicy | undefined) ?? 'Always';
    const runner = (container: Container, restartPolicy: RestartPolicy): ContainerRunner => {
      const log = new ContainerLog(join(this.#folder, 'logs', container.name));
      return new ContainerRunner(container, { log, host, restartPolicy, before: before.get(container.name) });
    };
    // An init container has to succeed once.
    this.#initRunners = (pod.spec?.initContainers ?? []).map((container) =>
      runner(container, isSidecar(container) ? 'Always' : policy === 'Never' ? 'Never' : 'OnFailure'),
    );
    this.#runners = (pod.spec?.containers ?? []).map((container) => runner(container, policy));
    // Last: whatever else fails must not keep an address.
    this.podIP = environment.addresses.take(pod.status?.podIP);
    this.#status = new StatusWriter(environment.client, pod, (written) => this.#statusNow(written));
  }

  get #all(): readonly ContainerRunner[] {
    return [...this.#initRunners, ...this.#runners];
  }

  /** Begins. Resolves when the API knows that nothing of the pod is ready yet, which a killed cluster may have left behind. */
  async start(): Promise<void> {
    if (this.#finished) return;
    this.#status.changed();
    this.#living = this.#live().catch((error: Error) => {
      if (!this.#stopping.signal.aborted) this.#environment.log(`pod ${this.key}: ${error.stack ?? error.message}`);
    });
    await Promise.race([this.#status.settled(), delay(toldAfterMs, undefined, { ref: false })]);
  }

  /** Takes notice of a newer version of the pod. */
  update(pod: Pod): void {
    this.#pod = pod;
  }

  get key(): string {
    return `${this.#reference.namespace}/${this.#reference.name}`;
  }

  /** Whether a container that declares this port runs now. */
  runsWith(port: number): boolean {
    return this.#runners.some(
      ({ container, status }) => status.state?.running && container.ports?.some(({ containerPort }) => containerPort === port),
    );
  }

  /** @returns the names to choose from when `container` is left out and there are several. */
  runner(container: string | undefined): ContainerRunner | undefined | readonly string[] {
    if (container !== undefined) return this.#all.find((runner) => runner.container.name === container);
    const asked = this.#pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
    const byDefault = asked === undefined ? undefined : this.#runners.find((runner) => runner.container.name === asked);
    if (byDefault) return byDefault;
    return this.#runners.length === 1 ? this.#runners[0] : this.#all.map((runner) => runner.container.name);
  }

  async #live(): Promise<void> {
    await this.#environment.reaped;
    const { signal } = this.#stopping;
    const volumes = await this.#volumes(signal);
    if (!volumes) return;
    this.#volumePaths = volumes;
    const sidecars: Promise<void>[] = [];
    for (const runner of this.#initRunners) {
      if (isSidecar(runner.container)) {
        sidecars.push(runner.run());
        await runner.hasStarted(signal);
        continue;
      }
      await runner.run();
      if (signal.aborted) break;
      if (runner.exitCode !== 0) {
        await this.#stopSidecars(sidecars);
        return this.#finish('Failed');
      }
    }
    if (!signal.aborted) {
      this.#initialized = true;
      this.#status.changed();
      await Promise.all(this.#runners.map((runner) => runner.run()));
    }
    await this.#stopSidecars(sidecars);
    if (!signal.aborted) this.#finish(this.#runners.every(({ exitCode }) => exitCode === 0) ? 'Succeeded' : 'Failed');
  }

  async #stopSidecars(running: readonly Promise<void>[]): Promise<void> {
    const { graceSeconds } = this.#host();
    await Promise.all(this.#initRunners.filter(({ container }) => isSidecar(container)).map((runner) => runner.stop(graceSeconds)));
    await Promise.all(running);
  }

  async #volumes(signal: AbortSignal): Promise<VolumePaths | undefined> {
    const { client } = this.#environment;
    const backOff = createBackOff(volumeBackOff.firstMs, volumeBackOff.longestMs);
    while (!signal.aborted) {
      try {
        await makePassable(this.#folder);
        const volumes = await makeVolumes({
          client,
          pod: this.#pod,
          podIP: this.podIP,
          folder: this.#folder,
          owner: this.#owner,
          references: referencesOf(client, this.#reference.namespace!),
        });
        this.#message = undefined;
        return volumes;
      } catch (error) {
        const { message } = error as Error;
        const wait = backOff.next();
        if ((wait > toldAfterMs || !(error instanceof ContainerError)) && this.#message !== message) {
          this.#environment.recorder.record(this.#reference, 'Warning', 'FailedMount', message);
          this.#message = message;
          this.#status.changed();
        }
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  #finish(phase: 'Succeeded' | 'Failed'): void {
    this.#finished = phase;
    this.#status.changed();
  }

  #host(): ContainerHost {
    const { images, enginesDir, records, recorder, podsOfPort } = this.#environment;
    return {
      key: this.uid,
      images,
      enginesDir,
      records,
      podsOfPort,
      graceSeconds: this.#pod.spec?.terminationGracePeriodSeconds ?? 30,
      context: (container, signal) => this.#context(container, signal),
      changed: () => this.#status.changed(),
      event: (type, reason, message) => recorder.record(this.#reference, type, reason, message),
    };
  }

  async #context(container: Container, signal: AbortSignal): Promise<Omit<RunContext, 'run'>> {
    const { client, enginesDir, images, recorder } = this.#environment;
    const owner = this.#owner;
    const { podIP } = this;
    const host = await hostContext(container, {
      pod: this.#pod,
      podIP,
      folder: this.#folder,
      owner,
      images,
      support: this.#environment,
      warn: (reason, message) => recorder.record(this.#reference, 'Warning', reason, message),
    });
    const env = await host.finish(
      await environmentOf(this.#pod, podIP, container, referencesOf(client, this.#reference.namespace!), host.base),
    );
    return {
      enginesDir,
      namespace: this.#reference.namespace!,
      podName: this.#reference.name!,
      containerName: container.name,
      podIP,
      env,
      hosts: host.hosts,
      command: container.command?.map((word) => expand(word, env)),
      args: container.args?.map((word) => expand(word, env)),
      hostPath: await hostPathsOf(container, this.#volumePaths, join(this.#folder, 'root', container.name), owner, env),
      ...owner,
      signal,
    };
  }

  #statusNow(written: PodStatus): PodStatus {
    const facts = {
      podIP: this.podIP,
      initialized: this.#initialized,
      finished: this.#finished,
      initContainers: this.#initRunners.map(({ status }) => status),
      containers: this.#runners.map(({ status }) => status),
      message: this.#message,
    };
    const others = (this.#pod.status?.conditions ?? []).filter(({ type }) => !written.conditions?.some((known) => known.type === type));
    return podStatusOf(this.#pod, { ...written, conditions: [...(written.conditions ?? []), ...others] }, facts, new Date().toISOString());
  }

  /** Stops the processes; the pod stays in the API and starts again with the cluster. */
  async stop(graceSeconds = this.#pod.spec?.terminationGracePeriodSeconds ?? 30): Promise<void> {
    await this.#halt(graceSeconds);
    // On a full disk it would never be; the next start says it again.
    await Promise.race([this.#status.settled(), delay(lastStatusWithinMs, undefined, { ref: false })]);
    await this.#status.close();
  }

  async #halt(graceSeconds: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#all.map((runner) => runner.stop(graceSeconds)));
    await this.#living;
    this.#environment.addresses.release(this.podIP);
    for (const { log } of this.#all) log.endRun();
  }

  /** Ends the processes now: whoever asked for it does not want to wait. */
  kill(): void {
    for (const runner of this.#all) runner.kill();
  }

  /** Stops the processes, then removes what the node keeps of the pod and tells the API that it is gone. */
  end(graceSeconds: number): Promise<void> {
    this.#ending ??= this.#end(graceSeconds);
    return this.#ending;
  }

  async #end(graceSeconds: number): Promise<void> {
    await this.#halt(graceSeconds);
    // Others keep the pod from going: they see how it ended.
    if (this.#pod.metadata?.finalizers?.length)
      await Promise.race([this.#status.settled(), delay(lastStatusWithinMs, undefined, { ref: false })]);
    await this.#status.close();
    this.#environment.serviceHosts.close(hostsFileOf(this.#folder));
    await rm(this.#folder, { recursive: true, force: true });
    const { client, closing } = this.#environment;
    const { name, namespace } = this.#reference;
    // Where the cluster ends first, the deletion is completed at its next start.
    for (
      const backOff = createBackOff(100, 5_000);
      !closing.aborted;
      await delay(backOff.next(), undefined, { signal: closing }).catch(() => undefined)
    ) {
      try {
        await client.delete(pods, name!, { namespace: namespace!, uid: this.uid, gracePeriodSeconds: 0 });
        return;
      } catch (error) {
        // Another pod has the name now: this one is gone.
        if (hasReason(error, 'Conflict', 'NotFound')) return;
      }
    }
  }
}

/** An init container that runs beside the others. Since Kubernetes 1.29; the types are older. */
function isSidecar(container: Container): boolean {
  return (container as { restartPolicy?: string }).restartPolicy === 'Always';
}
