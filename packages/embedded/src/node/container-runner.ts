import { setTimeout as delay } from 'node:timers/promises';
import { imageIdOfStandIn, KipError } from '@skipper/api';
import type { Container, ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import { portInUse } from '../contracts.ts';
import { createBackOff } from './back-off.ts';
import type { CommandStreams } from './command.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerHost, RunContext } from './container-host.ts';
import type { ContainerLog } from './container-log.ts';
import { ContainerProcess, type RunEnd } from './container-process.ts';
import { pullImage } from './image-pull.ts';
import { portInUseMessage, takenPort } from './listening.ts';
import { unsupportedProbe } from './probes.ts';
import { runSetUpProgram } from './set-up-program.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

// The kubelet's: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
const crashBackOff = { firstMs: 10_000, longestMs: 300_000 };
const backOffForgottenAfterMs = 600_000;
/** What is only missing (a Secret, a key) may come any moment. */
const missingBackOff = { firstMs: 1_000, longestMs: 30_000 };
const portLook = { firstMs: 100, longestMs: 2_000 };
const startedLookMs = 20;

/** Runs one container, again and again as its pod's restart policy says, and knows its state. */
export class ContainerRunner {
  readonly container: Container;
  readonly log: ContainerLog;
  readonly #host: ContainerHost;
  readonly #restartPolicy: RestartPolicy;
  readonly #stopping = new AbortController();
  #graceSeconds: number;
  /** Once asked to stop it is not started again, though its preStop hook may end the process long before the hook itself has ended. */
  #restarts = true;
  /** What runs now. */
  #process: ContainerProcess | undefined;
  #imageID: string;
  #state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  #lastState: ContainerState;
  #restartCount: number;

  /** @param options.before what was known of the container when the cluster ran last. */
  constructor(
    container: Container,
    options: { log: ContainerLog; host: ContainerHost; restartPolicy: RestartPolicy; before: ContainerStatus | undefined },
  ) {
    const { log, host, restartPolicy, before } = options;
    this.container = container;
    this.log = log;
    this.#host = host;
    this.#restartPolicy = restartPolicy;
    this.#graceSeconds = host.graceSeconds;
    this.#imageID = container.image ?? '';
    const ranBefore = before?.state?.running !== undefined || before?.state?.terminated !== undefined;
    this.#restartCount = (before?.restartCount ?? 0) + (ranBefore ? 1 : 0);
    this.#lastState = before?.state?.terminated ? { terminated: before.state.terminated } : (before?.lastState ?? {});
  }

  get status(): ContainerStatus {
    const { name, image = '' } = this.container;
    const running = this.#process && { containerID: this.#process.containerID };
    return {
      name,
      image,
      imageID: this.#imageID,
      ready: this.#process?.ready ?? false,
      started: this.#process?.started ?? false,
      restartCount: this.#restartCount,
      state: this.#state,
      lastState: this.#lastState,
      ...running,
    };
  }

  get exitCode(): number | undefined {
    return this.#state.terminated?.exitCode;
  }

  /** Resolves when the container has started once, or will not any more. */
  async hasStarted(signal: AbortSignal): Promise<void> {
    const changes = AbortSignal.any([signal, this.#stopping.signal]);
    while (!this.#process?.started && !changes.aborted) await delay(startedLookMs, undefined, { signal: changes }).catch(() => undefined);
  }

  /** Resolves when the container will not run again: stopped, or ended and not to be restarted. */
  async run(): Promise<void> {
    const crashes = createBackOff(crashBackOff.firstMs, crashBackOff.longestMs);
    const failures = createBackOff(crashBackOff.firstMs, crashBackOff.longestMs);
    const absences = createBackOff(missingBackOff.firstMs, missingBackOff.longestMs);
    const collisions = createBackOff(missingBackOff.firstMs, missingBackOff.longestMs);
    let restarted = false;
    while (!this.#stopping.signal.aborted) {
      const begunAt = Date.now();
      try {
        const { terminated, couldNotListen } = await this.#runOnce();
        if (this.#stopping.signal.aborted || !this.#restarts) return;
        failures.reset();
        absences.reset();
        if (this.#restartPolicy === 'Never' || (this.#restartPolicy === 'OnFailure' && terminated.exitCode === 0)) return;
        if (Date.now() - begunAt > backOffForgottenAfterMs) {
          crashes.reset();
          restarted = false;
        }
        if (couldNotListen) await this.#portTaken(collisions.next());
        else if (restarted) await this.#backOff(crashes.next());
        restarted = true;
        this.#restartCount += 1;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        await this.#cannotStart(error as Error, error instanceof ContainerError ? absences.next() : failures.next());
      }
    }
  }

  async #backOff(ms: number): Promise<void> {
    this.#set({
      waiting: { reason: 'CrashLoopBackOff', message: `back-off ${ms / 1000}s restarting failed container=${this.container.name}` },
    });
    this.#host.event('Warning', 'BackOff', `Back-off restarting failed container ${this.container.name}`);
    await this.#pause(ms);
  }

  /** It ended because it could not listen: no fault of its own that waiting would mend. */
  async #portTaken(ms: number): Promise<void> {
    const message = this.#portMessage(this.container.ports?.[0]?.containerPort);
    this.#set({ waiting: { reason: portInUse, message } });
    this.#host.event('Warning', portInUse, message);
    await this.#pause(ms);
  }

  async #cannotStart(error: Error, waitMs: number): Promise<void> {
    const hint = error instanceof KipError && error.hint ? ` ${error.hint}` : '';
    const message = `${error.message}${hint}`;
    this.#host.event('Warning', 'Failed', message);
    if (error instanceof ContainerError) this.#set({ waiting: { reason: error.reason, message } });
    else if (error instanceof KipError && error.code === 'engine-unavailable') {
      this.#set({ waiting: { reason: 'ErrImagePull', message } });
      await this.#pause(Math.min(waitMs, 1_000));
      if (!this.#stopping.signal.aborted)
        this.#set({ waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${this.container.image}": ${message}` } });
    } else this.#set({ waiting: { reason: 'CreateContainerError', message } });
    await this.#pause(waitMs);
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  async #runOnce(): Promise<RunEnd> {
    const { signal } = this.#stopping;
    const { container, log } = this;
    const host = this.#host;
    const unsupported = unsupportedProbe(container);
    if (unsupported) throw new ContainerError('CreateContainerError', unsupported);
    const image = await pullImage(container, host, {
      signal,
      progress: (message) => this.#set({ waiting: { reason: 'ContainerCreating', message } }),
    });
    const bare = await host.context(container, signal);
    await this.#portsAreFree(bare.podIP);
    signal.throwIfAborted();
    log.startRun();
    const context: RunContext = { ...bare, run: (spec) => runSetUpProgram(spec, bare, log, host) };
    try {
      const spec = await image.start(context);
      signal.throwIfAborted();
      host.event('Normal', 'Created', `Created container ${container.name}`);
      const process = await ContainerProcess.start(spec, { container, image, context, log, host });
      this.#imageID = spec.standIn === undefined ? (container.image ?? '') : imageIdOfStandIn(spec.standIn);
      return await this.#runToEnd(process);
    } finally {
      log.endRun();
    }
  }

  async #runToEnd(process: ContainerProcess): Promise<RunEnd> {
    this.#process = process;
    this.#set({ running: { startedAt: process.startedAt } });
    this.#host.event('Normal', 'Started', `Started container ${this.container.name}`);
    // The stop came while the process was being made, and did not see it.
    if (this.#stopping.signal.aborted) void process.terminate(this.#graceSeconds);
    const end = await process.supervise();
    this.#process = undefined;
    this.#lastState = { terminated: end.terminated };
    this.#set(this.#lastState);
    return end;
  }

  /** Resolves when nobody else listens where this container would, or when it is to stop. */
  async #portsAreFree(podIP: string): Promise<void> {
    const looks = createBackOff(portLook.firstMs, portLook.longestMs);
    for (let port; (port = await takenPort(podIP, this.container)) !== undefined && !this.#stopping.signal.aborted;) {
      if (this.#state.waiting?.reason !== portInUse) this.#set({ waiting: { reason: portInUse, message: this.#portMessage(port) } });
      const wait = looks.next();
      if (wait === portLook.longestMs) this.#host.event('Warning', portInUse, this.#portMessage(port));
      await this.#pause(wait);
    }
  }

  #portMessage(port: number | undefined): string {
    return portInUseMessage(port, port === undefined ? [] : this.#host.podsOfPort(port));
  }

  #set(state: ContainerState): void {
    this.#state = state;
    this.#host.changed();
  }

  /** Runs a command beside the container's process. @returns its exit code; 127 when there is no such command. @throws ContainerError when the container does not run. */
  async exec(command: string[], streams: CommandStreams): Promise<number> {
    if (!this.#process) throw new ContainerError('BadRequest', `container ${this.container.name} is not running`);
    return this.#process.exec(command, streams);
  }

  /** Asks the container to stop and kills it when it takes too long. Resolves when it has ended. */
  async stop(graceSeconds: number): Promise<void> {
    this.#graceSeconds = graceSeconds;
    this.#restarts = false;
    const begunAt = Date.now();
    const process = this.#process;
    if (process) {
      this.#host.event('Normal', 'Killing', `Stopping container ${this.container.name}`);
      if (graceSeconds > 0) await process.preStop(graceSeconds);
    }
    this.#stopping.abort();
    // What the hook took is gone, but a process is never killed unasked.
    await process?.terminate(Math.max(Math.min(graceSeconds, 2), graceSeconds - (Date.now() - begunAt) / 1000));
  }

  /** Ends it now. */
  kill(): void {
    this.#stopping.abort();
    this.#process?.kill();
  }
}
