import { setTimeout as delay } from 'node:timers/promises';
import { imageIdOfStandIn, KipError, type ContainerContext, type ImageProcess, type ImageResolver, type ProcessSpec } from '@skipper/api';
import type { Container, ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import { portInUse } from '../contracts.ts';
import { createBackOff } from './back-off.ts';
import { runCommand, type CommandStreams } from './command.ts';
import { ContainerError } from './container-error.ts';
import type { ContainerLog } from './container-log.ts';
import { hostProcess, isHostProcess } from './host-process.ts';
import { runLifecycleHook } from './lifecycle-hook.ts';
import { addressInUse, takenPort } from './listening.ts';
import type { ProcessRecords } from './process-records.ts';
import { runProbes, unsupportedProbe } from './probes.ts';
import { spawnSupervised, type Exit, type HostsBinding, type SupervisedProcess } from './supervised-process.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export type RunContext = ContainerContext & { hosts?: HostsBinding | undefined };

/** What a container needs of its pod and node. */
export interface ContainerHost {
  /** Unique among the pods of the node. */
  readonly key: string;
  readonly images: ImageResolver;
  readonly enginesDir: string;
  readonly records: ProcessRecords;
  readonly graceSeconds: number;
  readonly restartPolicy: RestartPolicy;
  context(container: Container, signal: AbortSignal): Promise<Omit<RunContext, 'run'>>;
  /** Pods whose containers run and declare a port. */
  podsOfPort(port: number): string[];
  changed(): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

// The kubelet's: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
const crashBackOff = { firstMs: 10_000, longestMs: 300_000 };
const backOffForgottenAfterMs = 600_000;
/** What is only missing (a Secret, a key) may come any moment. */
const missingBackOff = { firstMs: 1_000, longestMs: 30_000 };
const portLook = { firstMs: 100, longestMs: 2_000 };
const progressEveryMs = 500;
/** As much of its end as tells why a container failed, as the kubelet takes it. */
const tailLength = 2_048;
const tailLines = 80;
const startedLookMs = 20;
const outputAfterExitMs = 1_000;

/** Runs one container, again and again as its pod's restart policy says, and knows its state. */
export class ContainerRunner {
  readonly container: Container;
  readonly log: ContainerLog;
  readonly #host: ContainerHost;
  readonly #stopping = new AbortController();
  #graceSeconds: number;
  #process: SupervisedProcess | undefined;
  #stopSignal: NodeJS.Signals = 'SIGTERM';
  #current: { image: ImageProcess; context: RunContext } | undefined;
  #state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  #lastState: ContainerState;
  #restartCount: number;
  #ready = false;
  #started = false;
  #progressAt = 0;
  #standIn: string | undefined;
  /** The end of what the process said last. */
  #tail = '';

  /** @param before what was known of the container when the cluster ran last. */
  constructor(container: Container, log: ContainerLog, host: ContainerHost, before: ContainerStatus | undefined) {
    this.container = container;
    this.log = log;
    this.#host = host;
    this.#graceSeconds = host.graceSeconds;
    const ranBefore = before?.state?.running !== undefined || before?.state?.terminated !== undefined;
    this.#restartCount = (before?.restartCount ?? 0) + (ranBefore ? 1 : 0);
    this.#lastState = before?.state?.terminated ? { terminated: before.state.terminated } : (before?.lastState ?? {});
  }

  get status(): ContainerStatus {
    const { name, image = '' } = this.container;
    const running = this.#process && { containerID: `process://${this.#process.pid}` };
    return {
      name,
      image,
      imageID: this.#standIn === undefined ? image : imageIdOfStandIn(this.#standIn),
      ready: this.#ready,
      started: this.#started,
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
    while (!this.#started && !changes.aborted) await delay(startedLookMs, undefined, { signal: changes }).catch(() => undefined);
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
        const exit = await this.#runOnce();
        if (this.#stopping.signal.aborted) return;
        failures.reset();
        absences.reset();
        const { restartPolicy } = this.#host;
        if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && exit.exitCode === 0)) return;
        if (Date.now() - begunAt > backOffForgottenAfterMs) {
          crashes.reset();
          restarted = false;
        }
        if (exit.exitCode !== 0 && addressInUse.test(this.#tail)) await this.#portTaken(collisions.next());
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

  async #runOnce(): Promise<Exit> {
    const { signal } = this.#stopping;
    const unsupported = unsupportedProbe(this.container);
    if (unsupported) throw new ContainerError('CreateContainerError', unsupported);
    const reference = this.container.image ?? '';
    const image = this.#imageOf(reference);
    let fetched = false;
    const progress = (message: string): void => {
      if (!fetched) this.#host.event('Normal', 'Pulling', `Pulling image "${reference}": ${message}`);
      fetched = true;
      this.#progress(message);
    };
    await image.prepare({ enginesDir: this.#host.enginesDir, signal, progress });
    this.#host.event(
      'Normal',
      'Pulled',
      this.#isHost
        ? 'The command runs as a process of this machine; its image is not used'
        : fetched
          ? `Successfully pulled image "${reference}"`
          : `Container image "${reference}" already present on machine`,
    );
    const bare = await this.#host.context(this.container, signal);
    await this.#portsAreFree(bare.podIP);
    signal.throwIfAborted();
    this.log.startRun();
    const context: RunContext = { ...bare, run: (spec) => this.#runToEnd(spec, bare) };
    try {
      const spec = await image.start(context);
      signal.throwIfAborted();
      this.#host.event('Normal', 'Created', `Created container ${this.container.name}`);
      return await this.#supervise(spec, image, context);
    } finally {
      this.log.endRun();
    }
  }

  #imageOf(reference: string): ImageProcess {
    if (this.#isHost) return hostProcess(this.container);
    const image = this.#host.images(reference);
    if (image) return image;
    throw new KipError('engine-unavailable', `No program is known here for image "${reference}".`, {
      hint: 'The embedded cluster runs no containers: give this one a command, which runs as a process of this machine.',
    });
  }

  get #isHost(): boolean {
    return isHostProcess(this.container, this.#host.images);
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
    const holders = port === undefined ? [] : this.#host.podsOfPort(port);
    const who = holders.length > 0 ? `by pod ${holders.join(' or ')}` : 'by another program';
    return `port ${port ?? 'that it listens on'} of this machine is taken ${who}; every pod has an address of its own, so that all can have the port when each listens on its own address only, which is in $HOST`;
  }

  async #supervise(spec: ProcessSpec, image: ImageProcess, context: RunContext): Promise<Exit> {
    const { signal } = this.#stopping;
    const child = await spawnSupervised(spec, {
      uid: context.uid,
      gid: context.gid,
      hosts: context.hosts,
      graceSeconds: this.#host.graceSeconds,
    });
    const recordKey = `${this.#host.key}_${this.container.name}`;
    this.#host.records.add(recordKey, child.pid);
    const output = this.#collectOutput(child);
    this.#process = child;
    this.#tail = '';
    this.#stopSignal = spec.stopSignal ?? 'SIGTERM';
    this.#current = { image, context };
    this.#standIn = spec.standIn;
    const startedAt = new Date().toISOString();
    this.#set({ running: { startedAt } });
    this.#host.event('Normal', 'Started', `Started container ${this.container.name}`);
    // The stop came while the process was being made, and did not see it.
    if (signal.aborted) void terminate(child, this.#stopSignal, this.#graceSeconds);
    const watching = new AbortController();
    void this.#afterStart(child, context, watching.signal);
    const exit = await child.exited;
    watching.abort();
    await output();
    this.#host.records.remove(recordKey);
    this.#process = undefined;
    this.#current = undefined;
    this.#ready = this.#started = false;
    const ended: ContainerState = {
      terminated: {
        exitCode: exit.exitCode,
        reason: exit.exitCode === 0 ? 'Completed' : 'Error',
        startedAt,
        finishedAt: new Date().toISOString(),
        ...this.#causeOf(exit),
      },
    };
    this.#set(ended);
    this.#lastState = ended;
    return exit;
  }

  #causeOf({ exitCode, signal }: Exit): { message?: string } {
    const { terminationMessagePolicy } = this.container;
    const said =
      terminationMessagePolicy === 'FallbackToLogsOnError' && exitCode !== 0 ? this.#tail.split('\n').slice(-tailLines).join('\n') : '';
    const message = [said, signal ? `killed by ${signal}` : ''].filter((part) => part !== '').join('\n');
    return message === '' ? {} : { message };
  }

  /** The hook comes first: until it is done, the container does not count as started. */
  async #afterStart(child: SupervisedProcess, context: ContainerContext, signal: AbortSignal): Promise<void> {
    const failure = await runLifecycleHook(
      this.container.lifecycle?.postStart,
      { podIP: context.podIP, container: this.container, run: (argv, hookSignal) => this.#capture(argv, hookSignal) },
      signal,
    );
    if (signal.aborted) return;
    if (failure !== undefined) {
      this.#host.event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
      return terminate(child, this.#stopSignal, this.#host.graceSeconds);
    }
    runProbes(
      { podIP: context.podIP, container: this.container, run: (argv, probeSignal) => this.#capture(argv, probeSignal) },
      {
        started: () => this.#mark(child, { started: true }),
        ready: (ready) => this.#mark(child, { ready }),
        failed: (kind, message) => this.#host.event('Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
        unhealthy: (kind, probe) => {
          this.#host.event('Normal', 'Killing', `Container ${this.container.name} failed ${kind.toLowerCase()} probe, will be restarted`);
          const { terminationGracePeriodSeconds = this.#host.graceSeconds } = probe as { terminationGracePeriodSeconds?: number };
          void terminate(child, this.#stopSignal, terminationGracePeriodSeconds);
        },
      },
      signal,
    );
  }

  #progress(message: string): void {
    if (Date.now() - this.#progressAt < progressEveryMs) return;
    this.#progressAt = Date.now();
    this.#set({ waiting: { reason: 'ContainerCreating', message } });
  }

  async #runToEnd(spec: ProcessSpec, identity: Pick<ContainerContext, 'uid' | 'gid'>): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    const child = await spawnSupervised(spec, { uid: identity.uid, gid: identity.gid, graceSeconds: 0 });
    const recordKey = `${this.#host.key}_${this.container.name}_setup`;
    this.#host.records.add(recordKey, child.pid);
    const abort = (): void => child.kill();
    this.#stopping.signal.addEventListener('abort', abort);
    if (this.#stopping.signal.aborted) abort();
    let tail = '';
    child.stderr.on('data', (chunk: Buffer | string) => (tail = (tail + chunk.toString()).slice(-2000)));
    const output = this.#collectOutput(child);
    try {
      const { exitCode } = await child.exited;
      await output();
      if (exitCode !== 0) throw new Error(`${spec.file} ended with exit code ${exitCode}: ${tail.trim().split('\n').slice(-3).join(' ')}`);
    } finally {
      this.#stopping.signal.removeEventListener('abort', abort);
      this.#host.records.remove(recordKey);
    }
  }

  /** @returns waits until everything is in the log, after the process has ended. */
  #collectOutput({ stdout, stderr }: SupervisedProcess): () => Promise<unknown> {
    const streams = [stdout, stderr];
    const ends = streams.map(
      (stream, index) =>
        new Promise<void>((resolve) => {
          stream.setEncoding('utf8').on('data', (chunk: string) => {
            this.log.append(String(index), chunk);
            this.#tail = (this.#tail + chunk).slice(-tailLength);
          });
          stream.once('error', () => resolve());
          stream.once('close', () => resolve());
        }),
    );
    return async () => {
      // A daemon that left the process group may hold them open for good.
      const timer = setTimeout(() => streams.forEach((stream) => stream.destroy()), outputAfterExitMs);
      await Promise.all(ends);
      clearTimeout(timer);
    };
  }

  async #capture(argv: string[], signal: AbortSignal): Promise<{ exitCode: number; output: string }> {
    let output = '';
    if (!this.#current) return { exitCode: 126, output: 'the container does not run' };
    const exitCode = await runCommand(this.#current.image, this.#current.context, argv, {
      collect: (chunk) => void (output = (output + chunk).slice(-1024)),
      signal,
    });
    return { exitCode, output };
  }

  #mark(child: SupervisedProcess, change: { ready?: boolean; started?: boolean }): void {
    if (this.#process !== child || this.#stopping.signal.aborted) return;
    this.#ready = change.ready ?? this.#ready;
    this.#started = change.started ?? this.#started;
    this.#host.changed();
  }

  #set(state: ContainerState): void {
    this.#state = state;
    this.#host.changed();
  }

  /** Runs a command beside the container's process. @returns its exit code; 127 when there is no such command. @throws ContainerError when the container does not run. */
  async exec(command: string[], streams: CommandStreams): Promise<number> {
    if (!this.#current) throw new ContainerError('BadRequest', `container ${this.container.name} is not running`);
    return runCommand(this.#current.image, this.#current.context, command, streams);
  }

  /** Asks the container to stop and kills it when it takes too long. Resolves when it has ended. */
  async stop(graceSeconds: number): Promise<void> {
    this.#graceSeconds = graceSeconds;
    const begunAt = Date.now();
    const child = this.#process;
    if (child) {
      this.#host.event('Normal', 'Killing', `Stopping container ${this.container.name}`);
      if (graceSeconds > 0) await this.#beforeStop(graceSeconds);
    }
    this.#stopping.abort();
    this.#ready = false;
    // What the hook took is gone, but a process is never killed unasked.
    if (child) await terminate(child, this.#stopSignal, Math.max(Math.min(graceSeconds, 2), graceSeconds - (Date.now() - begunAt) / 1000));
  }

  /** Ends it now. */
  kill(): void {
    this.#stopping.abort();
    this.#process?.kill();
  }

  async #beforeStop(graceSeconds: number): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(graceSeconds * 1000), this.#stopping.signal]);
    const podIP = this.#current?.context.podIP ?? '';
    const failure = await runLifecycleHook(
      this.container.lifecycle?.preStop,
      { podIP, container: this.container, run: (argv, hookSignal) => this.#capture(argv, hookSignal) },
      signal,
    );
    if (failure !== undefined) this.#host.event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
  }
}

async function terminate(child: SupervisedProcess, signal: NodeJS.Signals, graceSeconds: number): Promise<void> {
  child.signal(signal);
  const timer = setTimeout(() => child.kill(), graceSeconds * 1000);
  await child.exited;
  clearTimeout(timer);
}
