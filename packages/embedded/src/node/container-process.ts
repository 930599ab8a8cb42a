import type { ImageProcess, ProcessSpec } from '@skipper/api';
import type { Container, ContainerStateTerminated } from 'kubernetes-types/core/v1.d.ts';
import { timerDelay } from '../timer-delay.ts';
import { runCommand, type CommandStreams } from './command.ts';
import type { ContainerHost, RunContext } from './container-host.ts';
import type { ContainerLog } from './container-log.ts';
import { ContainerOutput } from './container-output.ts';
import { runLifecycleHook } from './lifecycle-hook.ts';
import { addressInUse } from './listening.ts';
import type { ProbeTarget } from './probe.ts';
import { runProbes } from './probes.ts';
import { recordOrKill } from './process-records.ts';
import { spawnSupervised, type Exit, type SupervisedProcess } from './supervised-process.ts';

const tailLines = 80;

/** What a process is run from, and for whom. */
export interface ContainerRun {
  readonly container: Container;
  readonly image: ImageProcess;
  readonly context: RunContext;
  readonly log: ContainerLog;
  readonly host: ContainerHost;
}

export interface RunEnd {
  readonly terminated: ContainerStateTerminated;
  /** Whether it failed because another program had its port. */
  readonly couldNotListen: boolean;
}

const recordKeyOf = ({ container, host }: ContainerRun): string => `${host.key}_${container.name}`;

/** One run of a container's process: its output, its hooks and probes, its graceful stop and how it ended. */
export class ContainerProcess {
  readonly startedAt = new Date().toISOString();
  readonly #run: ContainerRun;
  readonly #child: SupervisedProcess;
  readonly #stopSignal: NodeJS.Signals;
  readonly #output: ContainerOutput;
  readonly #recordKey: string;
  /** The container to its hooks and probes. */
  readonly #target: ProbeTarget;
  #started = false;
  #ready = false;

  private constructor(run: ContainerRun, child: SupervisedProcess, stopSignal: NodeJS.Signals = 'SIGTERM') {
    const { container, context, log } = run;
    this.#recordKey = recordKeyOf(run);
    this.#run = run;
    this.#child = child;
    this.#stopSignal = stopSignal;
    this.#output = new ContainerOutput(child, log);
    this.#target = { container, podIP: context.podIP, run: (argv, signal) => this.#capture(argv, signal) };
  }

  /** @throws the system's error when it cannot be started, or noted down. */
  static async start(spec: ProcessSpec, run: ContainerRun): Promise<ContainerProcess> {
    const { uid, gid, hosts } = run.context;
    const child = await spawnSupervised(spec, { uid, gid, hosts, graceSeconds: run.host.graceSeconds });
    recordOrKill(run.host.records, recordKeyOf(run), child);
    return new ContainerProcess(run, child, spec.stopSignal);
  }

  get containerID(): string {
    return `process://${this.#child.pid}`;
  }

  get started(): boolean {
    return this.#started;
  }

  /** What is to stop takes no more requests. */
  get ready(): boolean {
    return this.#ready && !this.#run.context.signal.aborted;
  }

  /** Carries out its postStart hook and its probes for as long as it runs. Resolves when it has ended and all it wrote is in the log. */
  async supervise(): Promise<RunEnd> {
    const running = new AbortController();
    void this.#watch(running.signal);
    const exit = await this.#child.exited;
    running.abort();
    await this.#output.logged();
    this.#run.host.records.remove(this.#recordKey);
    const { exitCode } = exit;
    return {
      terminated: {
        exitCode,
        reason: exitCode === 0 ? 'Completed' : 'Error',
        startedAt: this.startedAt,
        finishedAt: new Date().toISOString(),
        ...this.#causeOf(exit),
      },
      couldNotListen: exitCode !== 0 && addressInUse.test(this.#output.tail),
    };
  }

  /** The hook comes first: until it is done, the container does not count as started. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { container, host } = this.#run;
    const failure = await runLifecycleHook(container.lifecycle?.postStart, this.#target, signal);
    if (signal.aborted) return;
    if (failure !== undefined) {
      host.event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
      return this.terminate(host.graceSeconds);
    }
    runProbes(
      this.#target,
      {
        started: () => this.#mark({ started: true }),
        ready: (ready) => this.#mark({ ready }),
        failed: (kind, message) => host.event('Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
        unhealthy: (kind, probe) => {
          host.event('Normal', 'Killing', `Container ${container.name} failed ${kind.toLowerCase()} probe, will be restarted`);
          const { terminationGracePeriodSeconds = host.graceSeconds } = probe as { terminationGracePeriodSeconds?: number };
          void this.terminate(terminationGracePeriodSeconds);
        },
      },
      signal,
    );
  }

  #mark(change: { ready?: boolean; started?: boolean }): void {
    const { context, host } = this.#run;
    if (context.signal.aborted) return;
    this.#ready = change.ready ?? this.#ready;
    this.#started = change.started ?? this.#started;
    host.changed();
  }

  #causeOf({ exitCode, signal }: Exit): { message?: string } {
    const { terminationMessagePolicy } = this.#run.container;
    const said =
      terminationMessagePolicy === 'FallbackToLogsOnError' && exitCode !== 0
        ? this.#output.tail.split('\n').slice(-tailLines).join('\n')
        : '';
    const message = [said, signal ? `killed by ${signal}` : ''].filter((part) => part !== '').join('\n');
    return message === '' ? {} : { message };
  }

  /** Runs a command beside it. @returns its exit code; 127 when there is no such command. */
  exec(command: string[], streams: CommandStreams): Promise<number> {
    return runCommand(this.#run.image, this.#run.context, command, streams);
  }

  async #capture(argv: string[], signal: AbortSignal): Promise<{ exitCode: number; output: string }> {
    let output = '';
    const exitCode = await this.exec(argv, { collect: (chunk) => void (output = (output + chunk).slice(-1024)), signal });
    return { exitCode, output };
  }

  /** Carries out its preStop hook, which may take the whole grace period. */
  async preStop(graceSeconds: number): Promise<void> {
    const { container, context, host } = this.#run;
    const signal = AbortSignal.any([AbortSignal.timeout(timerDelay(graceSeconds * 1000)), context.signal]);
    const failure = await runLifecycleHook(container.lifecycle?.preStop, this.#target, signal);
    if (failure !== undefined) host.event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${failure}`);
  }

  /** Asks it to stop and kills it when it takes too long. Resolves when it has ended. */
  async terminate(graceSeconds: number): Promise<void> {
    this.#child.signal(this.#stopSignal);
    const timer = setTimeout(() => this.#child.kill(), timerDelay(graceSeconds * 1000));
    await this.#child.exited;
    clearTimeout(timer);
  }

  /** Ends it now. */
  kill(): void {
    this.#child.kill();
  }
}
