import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pods, type ContainerContext, type ImageProcess, type ImageResolver, type ProcessSpec } from '@skipper/api';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import type { Container, Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { startCluster, type EmbeddedCluster } from '../cluster.ts';

/** An image whose containers run their command on this machine; `node` is the Node.js that runs the tests. */
export const anyProgram = 'any-program:1';
/** An image that nobody can have. */
export const noProgram = 'no-program:1';

function spec(argv: readonly string[], context: ContainerContext): ProcessSpec {
  const [program = 'node', ...args] = argv;
  return {
    file: program === 'node' ? process.execPath : program,
    args,
    env: { PATH: '/usr/bin:/bin', ...context.env, POD_ADDRESS: context.podIP, DATA: context.hostPath('/data') },
    cwd: context.hostPath('/work'),
  };
}

const program: ImageProcess = {
  async prepare() {},
  async start(context) {
    const { makeOwned } = await import('./ownership.ts');
    await makeOwned(context.hostPath('/work'), context);
    return spec([...(context.command ?? []), ...(context.args ?? [])], context);
  },
  async exec(argv, context) {
    return spec(argv, context);
  },
};

export const images: ImageResolver = (image) => (image === anyProgram ? program : undefined);

export interface TestCluster {
  readonly folder: string;
  readonly kube: KubeClient;
  /** Stops the cluster and starts it again over the same data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startTestCluster(folder?: string): Promise<TestCluster> {
  const home = folder ?? (await makeFolder());
  let cluster: EmbeddedCluster;
  let kube: KubeClient;
  const start = async (): Promise<void> => {
    cluster = await startCluster({ dataDir: join(home, 'data'), enginesDir: join(home, 'engines'), images, log: () => undefined });
    kube = await clientOf(cluster.kubeconfigPath);
  };
  const stop = async (): Promise<void> => {
    kube.close();
    await cluster.close();
  };
  await start();
  return {
    folder: home,
    get kube() {
      return kube;
    },
    async restart() {
      await stop();
      await start();
    },
    async close() {
      await stop();
      if (folder === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}

export async function clientOf(kubeconfig: string): Promise<KubeClient> {
  return createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
}

/** Other users may pass it: when the tests run as root, pods run as another one. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'embedded-'));
  await chmod(folder, 0o755);
  return folder;
}

export function container(script: string, more: Partial<Container> = {}): Container {
  return { name: 'main', image: anyProgram, command: ['node', '-e', script], ...more };
}

export function pod(name: string, script: string, more: { container?: Partial<Container>; spec?: Partial<PodSpec> } = {}): Pod {
  return {
    metadata: { name, namespace: 'default' },
    spec: { terminationGracePeriodSeconds: 2, containers: [container(script, more.container)], ...more.spec },
  };
}

/** Runs until it is asked to stop. */
export const idle = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`;

export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 120_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function isReady(found: Pod | undefined): boolean {
  return found?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

export async function readyPod(kube: KubeClient, name: string): Promise<Pod> {
  return until(`pod ${name} is ready`, async () => {
    const found = await kube.find(pods, name, { namespace: 'default' });
    return isReady(found) && found;
  });
}

/** The process of a pod's only container. */
export function pidOf(found: Pod): number {
  return Number(/^process:\/\/(\d+)$/.exec(found.status?.containerStatuses?.[0]?.containerID ?? '')?.[1]);
}

/** What has ended, but was not collected by its parent yet, is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return (
      process.platform !== 'linux' ||
      !readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .startsWith('Z')
    );
  } catch {
    return false;
  }
}
