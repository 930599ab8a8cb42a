import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';

const script = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'kip');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The real kip and the cluster that it is pointed at: the one that KUBECONFIG names, else an embedded one of its own. */
export interface TestCluster {
  readonly embedded: boolean;
  readonly kubeconfig: string;
  readonly client: KubeClient;
  kip(...args: string[]): Promise<Ended>;
  /** With other variables in its environment. */
  kipWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended>;
  /** With this on its standard input. */
  kipFed(input: string, ...args: string[]): Promise<Ended>;
  /** Called in this folder. */
  kipIn(folder: string, ...args: string[]): Promise<Ended>;
  /** Runs until it is stopped. Resolves when it has printed a line that fits. */
  background(until: RegExp, ...args: string[]): Promise<Background>;
  close(): Promise<void>;
}

export interface Background {
  /** What it printed on stdout so far. */
  output(): string;
  /** Interrupts it. @returns its exit code. */
  interrupt(): Promise<number | null>;
}

export interface OpenOptions {
  /** Whether to run an operator beside a cluster that KUBECONFIG names. Default true. */
  operator?: boolean;
}

export async function openCluster({ operator: withOperator = true }: OpenOptions = {}): Promise<TestCluster> {
  const home = await mkdtemp(join(tmpdir(), 'kip-e2e-'));
  const given = process.env['KUBECONFIG'];
  const env: NodeJS.ProcessEnv = { ...process.env, KIP_HOME: home, NO_COLOR: '1' };
  const children = new Set<ChildProcess>();
  const start = (environment: NodeJS.ProcessEnv, args: readonly string[], cwd?: string, input?: string): ChildProcess => {
    const stdin = input === undefined ? 'ignore' : 'pipe';
    const child = spawn(script, args, { env: environment, stdio: [stdin, 'pipe', 'pipe'], ...(cwd && { cwd }) });
    child.stdin?.end(input);
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  const ended = async (child: ChildProcess): Promise<Ended> => {
    let stdout = '';
    let stderr = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  };
  const kipWith = (more: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> => ended(start({ ...env, ...more }, args));
  const background = async (until: RegExp, ...args: string[]): Promise<Background> => {
    const child = start(env, args);
    let output = '';
    const closed = once(child, 'close') as Promise<[number | null]>;
    await new Promise<void>((resolve, reject) => {
      const look = (chunk: string): void => {
        output += chunk;
        if (until.test(output)) resolve();
      };
      child.stdout!.setEncoding('utf8').on('data', look);
      child.stderr!.setEncoding('utf8').on('data', look);
      void closed.then(([code]) => reject(new Error(`kip ${args.join(' ')} ended with ${code}: ${output}`)));
    });
    return {
      output: () => output,
      async interrupt() {
        child.kill('SIGINT');
        return (await closed)[0];
      },
    };
  };

  let operator: Background | undefined;
  if (given) {
    if (withOperator) operator = await background(/elected: /, 'operator');
  } else {
    const { code, stderr } = await kipWith({}, 'up');
    if (code !== 0) throw new Error(`kip up ended with ${code}: ${stderr}`);
  }
  const kubeconfig = given ?? join(home, 'embedded', 'kubeconfig');
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  return {
    embedded: !given,
    kubeconfig,
    client,
    kipWith,
    kip: (...args) => kipWith({}, ...args),
    kipFed: (input, ...args) => ended(start(env, args, undefined, input)),
    kipIn: (folder, ...args) => ended(start(env, args, folder)),
    background,
    async close() {
      client.close();
      await operator?.interrupt();
      if (!given) await kipWith({}, 'down');
      for (const child of children) child.kill('SIGKILL');
      await rm(home, { recursive: true, force: true });
    },
  };
}
