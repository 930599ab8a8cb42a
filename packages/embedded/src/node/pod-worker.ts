import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pods } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import type { ObjectReference, Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { createBackOff } from './back-off.ts';
import { containerContext } from './container-context.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerHost } from './container-host.ts';
import { removeFolder } from './folder-removal.ts';
import { hostsFileOf } from './host-context.ts';
import { makePassable, type Owner } from './ownership.ts';
import { PodContainers } from './pod-containers.ts';
import type { PodEnvironment } from './pod-environment.ts';
import { podStatusOf } from './pod-status.ts';
import { referencesOf } from './references.ts';
import { StatusWriter } from './status-writer.ts';
import { makeVolumes, type VolumePaths } from './volumes.ts';

const volumeBackOff = { firstMs: 50, longestMs: 5_000 };
/** A claim that is not bound yet is the way of things; it is told when it lasts. */
const toldAfterMs = 1_000;
const lastStatusWithinMs = 2_000;

/** A pod's whole life on the node, from its creation to its deletion. */
export class PodWorker {
  readonly uid: string;
  readonly podIP: string;
  readonly containers: PodContainers;
  readonly #environment: PodEnvironment;
  readonly #stopping = new AbortController();
  readonly #folder: string;
  readonly #owner: Owner;
  readonly #reference: ObjectReference;
  readonly #status: StatusWriter;
  #pod: Pod;
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
    this.containers = new PodContainers(pod, join(this.#folder, 'logs'), this.#host());
    // Last: whatever else fails must not keep an address.
    this.podIP = environment.addresses.take(pod.status?.podIP);
    this.#status = new StatusWriter(environment.client, pod, (written) => this.#statusNow(written));
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

  /** Its newest version. */
  get pod(): Pod {
    return this.#pod;
  }

  /** Takes notice of a newer version of the pod. */
  update(pod: Pod): void {
    this.#pod = pod;
  }

  get key(): string {
    return `${this.#reference.namespace}/${this.#reference.name}`;
  }

  async #live(): Promise<void> {
    await this.#environment.reaped;
    const { signal } = this.#stopping;
    const volumes = await this.#volumes(signal);
    if (!volumes) return;
    this.#volumePaths = volumes;
    const phase = await this.containers.run(signal);
    if (!phase) return;
    this.#finished = phase;
    this.#status.changed();
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

  #host(): ContainerHost {
    const environment = this.#environment;
    const { images, enginesDir, records, recorder, podsOfPort } = environment;
    const event: ContainerHost['event'] = (type, reason, message) => recorder.record(this.#reference, type, reason, message);
    return {
      key: this.uid,
      images,
      enginesDir,
      records,
      podsOfPort,
      graceSeconds: graceSecondsOf(this.#pod),
      context: (container, signal) =>
        containerContext(container, signal, {
          pod: this.#pod,
          podIP: this.podIP,
          folder: this.#folder,
          owner: this.#owner,
          volumes: this.#volumePaths,
          environment,
          warn: (reason, message) => event('Warning', reason, message),
        }),
      changed: () => this.#status.changed(),
      event,
    };
  }

  #statusNow(written: PodStatus): PodStatus {
    const facts = {
      podIP: this.podIP,
      finished: this.#finished,
      message: this.#message,
      ...this.containers.facts,
    };
    const others = (this.#pod.status?.conditions ?? []).filter(({ type }) => !written.conditions?.some((known) => known.type === type));
    return podStatusOf(this.#pod, { ...written, conditions: [...(written.conditions ?? []), ...others] }, facts, new Date().toISOString());
  }

  /** Stops the processes; the pod stays in the API and starts again with the cluster. */
  async stop(): Promise<void> {
    await this.#halt(graceSecondsOf(this.#pod));
    // On a full disk it would never be; the next start says it again.
    await Promise.race([this.#status.settled(), delay(lastStatusWithinMs, undefined, { ref: false })]);
    await this.#status.close();
  }

  async #halt(graceSeconds: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.containers.all.map((runner) => runner.stop(graceSeconds)));
    await this.#living;
    this.#environment.addresses.release(this.podIP);
    for (const { log } of this.containers.all) log.endRun();
  }

  /** Ends the processes now: whoever asked for it does not want to wait. */
  kill(): void {
    for (const runner of this.containers.all) runner.kill();
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
    const { client, closing, log } = this.#environment;
    // What stays is tried again at the next start.
    await removeFolder(this.#folder, log);
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

function graceSecondsOf({ spec }: Pod): number {
  return spec?.terminationGracePeriodSeconds ?? 30;
}
