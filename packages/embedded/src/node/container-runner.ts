import { setTimeout as delay } from 'node:timers/promises';
import { finished } from 'node:stream/promises';
import { KipError, type ContainerContext, type ImageProcess, type ImageResolver, type ProcessSpec } from '@skipper/api';
import type { Container, ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import type { PodExecOptions } from '../contracts.ts';
import { ContainerError } from './environment.ts';
import type { ContainerLog } from './container-log.ts';
import type { ProcessRecords } from './process-records.ts';
import { runProbes } from './probes.ts';
import { spawnSupervised, type Exit, type SupervisedProcess } from './supervised-process.ts';

/** What a container needs of its pod and node. */
export interface ContainerHost {
  /** Unique among the pods of the node. */
  readonly key: string;
  readonly images: ImageResolver;
  readonly enginesDir: string;
  readonly records: ProcessRecords;
  readonly graceSeconds: number;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  context(container: Container, signal: AbortSignal): Promise<Omit<ContainerContext, 'run'>>;
  changed(): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

const firstBackOffMs = 10_000;
const longestBackOffMs = 300_000;
const backOffForgottenAfterMs = 600_000;

/** Runs one container, again and again as its pod's restart policy says, and knows its state. */
export class ContainerRunner {
  readonly container: Container;
  readonly log: ContainerLog;
  readonly #host: ContainerHost;
  readonly #stopping = new AbortController();
  #process: SupervisedProcess | undefined;
  #stopSignal: NodeJS.Signals = 'SIGTERM';
  #current: { image: ImageProcess; context: ContainerContext } | undefined;
  #state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  #lastState: ContainerState = {};
  #restartCount: number;
  #ready = false;
  #started = false;

  constructor(container: Container, log: ContainerLog, host: ContainerHost, restartCount: number) {
    this.container = container;
    this.log = log;
    this.#host = host;
    this.#restartCount = restartCount;
  }

  get status(): ContainerStatus {
    const { name, image = '' } = this.container;
    const running = this.#process && { containerID: `process://${this.#process.pid}` };
    return { name, image, imageID: image, ready: this.#ready, started: this.#started, restartCount: this.#restartCount, state: this.#state, lastState: this.#lastState, ...running };
  }

  get exitCode(): number | undefined {
    return this.#state.terminated?.exitCode;
  }

  /** Resolves when the container will not run again: stopped, or ended and not to be restarted. */
  async run(): Promise<void> {
    let backOff = firstBackOffMs;
    let restarted = false;
    while (!this.#stopping.signal.aborted) {
      const begunAt = Date.now();
      try {
        const exit = await this.#runOnce();
        if (this.#stopping.signal.aborted) return;
        const { restartPolicy } = this.#host;
        if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && exit.exitCode === 0)) return;
        if (Date.now() - begunAt > backOffForgottenAfterMs) [backOff, restarted] = [firstBackOffMs, false];
        if (restarted) {
          this.#lastState = this.#state;
          this.#set({ waiting: { reason: 'CrashLoopBackOff', message: `back-off ${backOff / 1000}s restarting failed container=${this.container.name}` } });
          this.#host.event('Warning', 'BackOff', 'Back-off restarting failed container');
          await this.#pause(backOff);
          backOff = Math.min(backOff * 2, longestBackOffMs);
        }
        restarted = true;
        this.#restartCount += 1;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        await this.#cannotStart(error as Error, backOff);
        backOff = Math.min(backOff * 2, longestBackOffMs);
      }
    }
  }

  async #cannotStart(error: Error, backOff: number): Promise<void> {
    const hint = error instanceof KipError && error.hint ? ` ${error.hint}` : '';
    const message = `${error.message}${hint}`;
    const unavailable = error instanceof KipError && error.code === 'engine-unavailable';
    const reason = error instanceof ContainerError ? error.reason : unavailable ? 'ErrImagePull' : 'CreateContainerError';
    this.#host.event('Warning', 'Failed', message);
    this.#set({ waiting: { reason, message } });
    // What is only missing may come any moment; what failed may fail for long.
    await this.#pause(error instanceof ContainerError ? 1_000 : backOff);
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  async #runOnce(): Promise<Exit> {
    const { signal } = this.#stopping;
    const reference = this.container.image ?? '';
    const image = this.#host.images(reference);
    if (!image) throw new KipError('engine-unavailable', `No program is known here for image "${reference}".`);
    await image.prepare({ enginesDir: this.#host.enginesDir, signal, progress: (message) => this.#progress(message) });
    this.log.startRun();
    const bare = await this.#host.context(this.container, signal);
    const context: ContainerContext = { ...bare, run: (spec) => this.#runToEnd(spec, bare) };
    const spec = await image.start(context);
    signal.throwIfAborted();
    const child = await spawnSupervised(spec, { uid: bare.uid, gid: bare.gid, graceSeconds: this.#host.graceSeconds });
    const recordKey = `${this.#host.key}_${this.container.name}`;
    this.#host.records.add(recordKey, child.pid);
    this.#process = child;
    this.#stopSignal = spec.stopSignal ?? 'SIGTERM';
    this.#current = { image, context };
    this.#collectOutput(child);
    const startedAt = new Date().toISOString();
    this.#set({ running: { startedAt } });
    this.#host.event('Normal', 'Started', `Started container ${this.container.name}`);
    if (signal.aborted) child.signal(this.#stopSignal);
    const probing = new AbortController();
    this.#probe(child, context.podIP, probing.signal);
    const exit = await child.exited;
    probing.abort();
    this.log.endRun();
    this.#host.records.remove(recordKey);
    this.#process = undefined;
    this.#current = undefined;
    this.#ready = this.#started = false;
    if (!this.#stopping.signal.aborted) this.#lastState = this.#state.running ? {} : this.#state;
    this.#set({ terminated: { exitCode: exit.exitCode, reason: exit.exitCode === 0 ? 'Completed' : 'Error', startedAt, finishedAt: new Date().toISOString(), ...(exit.signal ? { message: `killed by ${exit.signal}` } : {}) } });
    this.#lastState = this.#state;
    return exit;
  }

  #progress(message: string): void {
    this.#set({ waiting: { reason: 'ContainerCreating', message } });
    this.#host.event('Normal', 'Pulling', message);
  }

  async #runToEnd(spec: ProcessSpec, identity: Pick<ContainerContext, 'uid' | 'gid'>): Promise<void> {
    const child = await spawnSupervised(spec, { uid: identity.uid, gid: identity.gid, graceSeconds: 0 });
    const recordKey = `${this.#host.key}_${this.container.name}_setup`;
    this.#host.records.add(recordKey, child.pid);
    const abort = (): void => child.kill();
    this.#stopping.signal.addEventListener('abort', abort);
    let tail = '';
    child.stderr.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-2000)));
    this.#collectOutput(child);
    try {
      const { exitCode } = await child.exited;
      if (exitCode !== 0) throw new Error(`${spec.file} ended with exit code ${exitCode}: ${tail.trim().split('\n').slice(-3).join(' ')}`);
    } finally {
      this.#stopping.signal.removeEventListener('abort', abort);
      this.#host.records.remove(recordKey);
    }
  }

  #collectOutput({ stdout, stderr }: SupervisedProcess): void {
    for (const stream of [stdout, stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => this.log.append(chunk));
  }

  #probe(child: SupervisedProcess, podIP: string, signal: AbortSignal): void {
    const run = async (argv: string[], probeSignal: AbortSignal): Promise<{ exitCode: number; output: string }> => {
      let output = '';
      const collect = (chunk: string): void => void (output = (output + chunk).slice(-1024));
      const exitCode = await this.#execute(argv, { collect, signal: probeSignal });
      return { exitCode, output };
    };
    runProbes({ podIP, container: this.container, run }, {
      started: () => this.#mark({ started: true }),
      ready: (ready) => this.#mark({ ready }),
      failed: (kind, message) => this.#host.event('Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
      unhealthy: (kind) => {
        this.#host.event('Normal', 'Killing', `Container ${this.container.name} failed ${kind.toLowerCase()} probe, will be restarted`);
        void terminate(child, this.#stopSignal, this.#host.graceSeconds);
      },
    }, signal);
  }

  #mark(change: { ready?: boolean; started?: boolean }): void {
    if (!this.#process) return;
    this.#ready = change.ready ?? this.#ready;
    this.#started = change.started ?? this.#started;
    this.#host.changed();
  }

  #set(state: ContainerState): void {
    this.#state = state;
    this.#host.changed();
  }

  /** Runs a command beside the container's process. @returns its exit code; 127 when there is no such command. @throws ContainerError when the container does not run. */
  async exec(options: Pick<PodExecOptions, 'command' | 'stdin' | 'stdout' | 'stderr' | 'signal'>): Promise<number> {
    if (!this.#current) throw new ContainerError('BadRequest', `container ${this.container.name} is not running`);
    return this.#execute(options.command, options);
  }

  async #execute(argv: string[], { collect, stdin, stdout, stderr, signal }: Partial<PodExecOptions> & { collect?(chunk: string): void; signal: AbortSignal }): Promise<number> {
    if (!this.#current) return 126;
    const { image, context } = this.#current;
    const command = await image.exec?.(argv, context);
    const emit = (chunk: string | undefined, stream: PodExecOptions['stdout']): void => {
      if (!chunk) return;
      collect?.(chunk);
      stream?.write(chunk);
    };
    if (!command) {
      emit(`exec: "${argv[0] ?? ''}": executable file not found in $PATH\n`, stderr);
      return 127;
    }
    if (typeof command === 'function') {
      const result = await command(signal);
      emit(result.stdout, stdout);
      emit(result.stderr, stderr);
      return result.exitCode;
    }
    const child = await spawnSupervised(command, { uid: context.uid, gid: context.gid, graceSeconds: 0, stdin: stdin !== undefined });
    const abort = (): void => child.kill();
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    if (child.stdin) {
      // The command may end without reading everything.
      child.stdin.on('error', () => undefined);
      stdin!.pipe(child.stdin);
    }
    for (const [from, to] of [[child.stdout, stdout], [child.stderr, stderr]] as const) {
      if (to) from.pipe(to, { end: false });
      else from.setEncoding('utf8').on('data', (chunk: string) => collect?.(chunk));
    }
    const [{ exitCode }] = await Promise.all([child.exited, ...[child.stdout, child.stderr].map((stream) => finished(stream).catch(() => undefined))]);
    signal.removeEventListener('abort', abort);
    return exitCode;
  }

  /** Asks the container to stop and kills it when it takes too long. Resolves when it has ended. */
  async stop(graceSeconds: number): Promise<void> {
    const child = this.#process;
    if (child && graceSeconds > 0) await this.#beforeStop(graceSeconds);
    this.#stopping.abort();
    this.#ready = false;
    if (child) await terminate(child, this.#stopSignal, graceSeconds);
  }

  async #beforeStop(graceSeconds: number): Promise<void> {
    const command = this.container.lifecycle?.preStop?.exec?.command;
    if (!command) return;
    const exitCode = await this.#execute(command, { signal: AbortSignal.timeout(graceSeconds * 1000) }).catch(() => -1);
    if (exitCode !== 0) this.#host.event('Warning', 'FailedPreStopHook', `PreStopHook ended with exit code ${exitCode}`);
  }
}

async function terminate(child: SupervisedProcess, signal: NodeJS.Signals, graceSeconds: number): Promise<void> {
  child.signal(signal);
  const timer = setTimeout(() => child.kill(), graceSeconds * 1000);
  await child.exited;
  clearTimeout(timer);
}
