import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerContext, ImageProcess, ProcessSpec } from '@skipper/api';
import { administrator, type Engine } from '../engine.ts';
import { drivers } from './drivers.ts';
import { ownPrograms } from './own-programs.ts';

/** Downloads are kept between runs. */
export const enginesDir = join(tmpdir(), 'skipper-test-engines');
/** How long a start may take on a busy machine, unless the engine's driver says otherwise. */
export const usualStartMs = 90_000;
/** An account of no importance, when the tests run as root: servers refuse root. */
const podUser = process.getuid?.() === 0 ? 65_534 : undefined;

let pods = 0;

/** One pod of an engine as a plain process: what the embedded cluster's node does, reduced to what an engine's contract needs. */
export class ProcessPod {
  readonly ip = `127.${80 + (process.pid % 100)}.${(process.pid >> 8) & 0xff}.${(pods += 1)}`;
  readonly password = 'Secret0123456789';
  readonly engine: Engine;
  readonly #process: ImageProcess;
  readonly #folder: string;
  readonly #enginesDir: string;
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;
  #stopSignal: NodeJS.Signals = 'SIGTERM';
  output = '';
  /** Of the processes that were started. */
  readonly argumentLists: string[] = [];

  private constructor(engine: Engine, version: string, folder: string, programs: string) {
    this.#enginesDir = programs;
    this.engine = engine;
    this.#process = engine.process(version, ownPrograms);
    this.#folder = folder;
    const credentials: Record<string, string | undefined> = { username: administrator, password: this.password, database: engine.database };
    this.#env = Object.fromEntries(
      (engine.container({ version, credentialsSecret: 'credentials' }).env ?? []).flatMap(({ name, value, valueFrom }) => {
        const actual = valueFrom?.secretKeyRef ? credentials[valueFrom.secretKeyRef.key] : value;
        return actual === undefined ? [] : [[name, actual]];
      }),
    );
  }

  /** @param programs where programs are looked for and fetched to. */
  static async create(engine: Engine, version = engine.defaultVersion, programs = enginesDir): Promise<ProcessPod> {
    const folder = await mkdtemp(join(tmpdir(), 'skipper-pod-'));
    await chmod(folder, 0o755);
    const pod = new ProcessPod(engine, version, folder, programs);
    for (const path of [engine.dataPath, ...engine.scratchPaths]) {
      await mkdir(pod.hostPath(path), { recursive: true });
      if (podUser !== undefined) await chown(pod.hostPath(path), podUser, podUser);
    }
    return pod;
  }

  get uri(): string {
    return this.uriWith(this.password);
  }

  uriWith(password: string): string {
    return this.engine.uri({
      host: this.ip,
      port: this.engine.ports[0].port,
      username: administrator,
      password,
      database: this.engine.database,
    });
  }

  /** Starts it and waits until its readiness probe succeeds. */
  async start(withinMs = usualStartMs): Promise<void> {
    await mkdir(this.#enginesDir, { recursive: true });
    await this.#process.prepare({ enginesDir: this.#enginesDir, progress: () => undefined, signal: AbortSignal.timeout(300_000) });
    for (let again = 3; ; again--) {
      const before = this.output.length;
      const spec = await this.#process.start(this.#context());
      this.#stopSignal = spec.stopSignal ?? 'SIGTERM';
      this.#child = this.#spawn(spec);
      try {
        return await this.#untilReady(withinMs);
      } catch (error) {
        // The node would start it again as well.
        const lostPort = drivers[this.engine.type]?.lostPort?.test(this.output.slice(before));
        if (again === 0 || this.#child.exitCode === null || !lostPort) throw error;
      }
    }
  }

  async #untilReady(withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while ((await this.probe('readinessProbe')) !== 0) {
      if (this.#child?.exitCode !== null || Date.now() > deadline) throw new Error(`it did not become ready: ${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Begins a start and kills whatever runs after this many ms. */
  async startAndKill(afterMs: number): Promise<void> {
    const stop = new AbortController();
    const startedAt = performance.now();
    const timer = setTimeout(() => stop.abort(), afterMs);
    try {
      const spec = await this.#process.start(this.#context(stop.signal));
      this.#child = this.#spawn(spec);
      await new Promise((resolve) => setTimeout(resolve, Math.max(20, startedAt + afterMs - performance.now())));
      await this.stop('SIGKILL');
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** 0 when it succeeds: the exit code of its command, or whether the answer is a good one. */
  async probe(which: 'startupProbe' | 'readinessProbe' | 'livenessProbe'): Promise<number> {
    const probe = this.engine.container({ version: this.engine.defaultVersion, credentialsSecret: '' })[which];
    if (probe?.httpGet) {
      const port = this.engine.ports.find(({ name }) => name === probe.httpGet?.port)?.port;
      const answer = await fetch(`http://${this.ip}:${port}${probe.httpGet.path}`, { signal: AbortSignal.timeout(5_000) }).catch(
        () => undefined,
      );
      return answer?.ok ? 0 : 1;
    }
    const argv = probe?.exec?.command;
    const command = argv && (await this.#process.exec?.(argv, this.#context()));
    if (typeof command !== 'function') throw new Error(`${this.engine.type} cannot run its ${which} here`);
    return (await command(AbortSignal.timeout(5_000))).exitCode;
  }

  /** Runs one of the engine's own tools beside it. @throws when it fails */
  async run(...argv: string[]): Promise<void> {
    const context = this.#context();
    const command = await this.#process.exec?.(argv, context);
    if (!command || typeof command === 'function') throw new Error(`${this.engine.type} has no ${argv[0]} here`);
    await this.#run(command, context.signal);
  }

  /** Sends a signal and waits for the end. @returns how long it took, in ms, and how it ended. */
  async stop(signal: NodeJS.Signals = this.#stopSignal): Promise<{ tookMs: number; exitCode: number | null }> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return { tookMs: 0, exitCode: child?.exitCode ?? null };
    const startedAt = performance.now();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    // The whole group, as the kernel would take a container down.
    if (signal === 'SIGKILL') process.kill(-child.pid!, signal);
    else child.kill(signal);
    await ended;
    return { tookMs: performance.now() - startedAt, exitCode: child.exitCode };
  }

  async destroy(): Promise<void> {
    await this.stop('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #context(signal: AbortSignal = AbortSignal.timeout(120_000)): ContainerContext {
    return {
      enginesDir: this.#enginesDir,
      namespace: 'test',
      podName: 'db-0',
      containerName: this.engine.type,
      podIP: this.ip,
      env: this.#env,
      command: undefined,
      args: undefined,
      hostPath: (path) => this.hostPath(path),
      uid: podUser,
      gid: podUser,
      signal,
      run: (spec) => this.#run(spec, signal),
    };
  }

  hostPath(path: string): string {
    return join(this.#folder, path);
  }

  async #run(spec: ProcessSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const child = this.#spawn(spec);
    const kill = () => process.kill(-child.pid!, 'SIGKILL');
    signal.addEventListener('abort', kill);
    const [code] = await new Promise<[number | null]>((resolve) => child.once('close', (exitCode) => resolve([exitCode])));
    signal.removeEventListener('abort', kill);
    if (code !== 0) throw new Error(`${spec.file} ended with ${code}: ${this.output}`);
  }

  #spawn(spec: ProcessSpec): ChildProcess {
    this.argumentLists.push([spec.file, ...spec.args].join(' '));
    const child = spawn(spec.file, spec.args, {
      env: spec.env ?? {},
      cwd: spec.cwd ?? this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(podUser === undefined ? {} : { uid: podUser, gid: podUser }),
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    child.on('error', (error) => {
      this.output += error.message;
    });
    // Nothing of a group outlives its main process, as on the node.
    child.once('exit', () => killGroup(child.pid!));
    return child;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody was left.
  }
}
