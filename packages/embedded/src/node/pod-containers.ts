import { join } from 'node:path';
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerHost } from './container-host.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerRunner, type RestartPolicy } from './container-runner.ts';
import type { PodFacts } from './pod-status.ts';

/** A pod's containers, in their order: init containers one after another, sidecars from their turn to the end, then all others together. */
export class PodContainers {
  /** Without init containers. */
  readonly main: readonly ContainerRunner[];
  readonly #init: readonly ContainerRunner[];
  readonly #host: ContainerHost;
  #initialized = false;

  constructor(pod: Pod, logFolder: string, host: ContainerHost) {
    const before = new Map(
      [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].map((status) => [status.name, status]),
    );
    const policy = (pod.spec?.restartPolicy as RestartPolicy | undefined) ?? 'Always';
    const runner = (container: Container, restartPolicy: RestartPolicy): ContainerRunner => {
      const log = new ContainerLog(join(logFolder, container.name));
      return new ContainerRunner(container, { log, host, restartPolicy, before: before.get(container.name) });
    };
    // An init container has to succeed once.
    this.#init = (pod.spec?.initContainers ?? []).map((container) =>
      runner(container, isSidecar(container) ? 'Always' : policy === 'Never' ? 'Never' : 'OnFailure'),
    );
    this.main = (pod.spec?.containers ?? []).map((container) => runner(container, policy));
    this.#host = host;
  }

  get all(): readonly ContainerRunner[] {
    return [...this.#init, ...this.main];
  }

  get facts(): Pick<PodFacts, 'initialized' | 'initContainers' | 'containers'> {
    return {
      initialized: this.#initialized,
      initContainers: this.#init.map(({ status }) => status),
      containers: this.main.map(({ status }) => status),
    };
  }

  /** Whether a container that declares this port runs now. */
  runWith(port: number): boolean {
    return this.main.some(
      ({ container, status }) => status.state?.running && container.ports?.some(({ containerPort }) => containerPort === port),
    );
  }

  /** Runs them until none will run again. @returns the phase that the pod ends in; `undefined` when it was stopped before. */
  async run(signal: AbortSignal): Promise<PodFacts['finished']> {
    const sidecars: Promise<void>[] = [];
    for (const runner of this.#init) {
      if (isSidecar(runner.container)) {
        sidecars.push(runner.run());
        await runner.hasStarted(signal);
        continue;
      }
      await runner.run();
      if (signal.aborted) break;
      if (runner.exitCode !== 0) {
        await this.#stopSidecars(sidecars);
        return 'Failed';
      }
    }
    if (!signal.aborted) {
      this.#initialized = true;
      this.#host.changed();
      await Promise.all(this.main.map((runner) => runner.run()));
    }
    await this.#stopSidecars(sidecars);
    if (signal.aborted) return undefined;
    return this.main.every(({ exitCode }) => exitCode === 0) ? 'Succeeded' : 'Failed';
  }

  async #stopSidecars(running: readonly Promise<void>[]): Promise<void> {
    const { graceSeconds } = this.#host;
    await Promise.all(this.#init.filter(({ container }) => isSidecar(container)).map((runner) => runner.stop(graceSeconds)));
    await Promise.all(running);
  }
}

/** An init container that runs beside the others. Since Kubernetes 1.29; the types are older. */
function isSidecar(container: Container): boolean {
  return (container as { restartPolicy?: string }).restartPolicy === 'Always';
}
