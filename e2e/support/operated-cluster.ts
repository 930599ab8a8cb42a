import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResourceType } from '@skipper/api';
import { createImageResolver } from '@skipper/engines';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import { startOperator, type OperatorOptions } from '@skipper/operator';

/** A cluster whose operator runs in the test's own process, where it can be stopped, crashed and counted. */
export interface OperatedCluster {
  readonly embedded: boolean;
  readonly client: KubeClient;
  /** Another client, for an operator. */
  connect(): Promise<KubeClient>;
  startOperator(client: KubeClient, options?: Partial<OperatorOptions>): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

/** The cluster that KUBECONFIG names, else an embedded one of its own. */
export async function openOperatedCluster(): Promise<OperatedCluster> {
  const given = process.env['KUBECONFIG'];
  const { kubeconfig, close } = given ? { kubeconfig: given, close: async () => undefined } : await startEmbedded();
  const connect = async () => createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  const client = await connect();
  return {
    embedded: !given,
    client,
    connect,
    startOperator: (using, options) =>
      startOperator({
        client: using,
        log: (message) => process.env['E2E_LOG'] && process.stderr.write(`${message}\n`),
        reach: given ? 'tunnel' : 'direct',
        processes: !given,
        verifyBindingsEveryMs: given ? 3_000 : 1_000,
        ...options,
      }),
    async close() {
      client.close();
      await close();
    },
  };
}

/** As kip's own cluster has them, from the last build. */
const images = createImageResolver({ ownProgram: (name) => join(import.meta.dirname, '..', '..', 'dist', 'programs', name) });

async function startEmbedded(): Promise<{ kubeconfig: string; close(): Promise<void> }> {
  const { startCluster } = await import('@skipper/embedded');
  const dataDir = await mkdtemp(join(tmpdir(), 'skipper-e2e-'));
  const cluster = await startCluster({
    dataDir,
    port: 0,
    images,
    enginesDir: join(tmpdir(), 'skipper-test-engines'),
    log: () => undefined,
  });
  return {
    kubeconfig: cluster.kubeconfigPath,
    async close() {
      await cluster.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A client of an operator that dies at the first request that fits: it gets no answer to that one and to none after it. */
export function dyingAt(
  target: KubeClient,
  fits: (method: string, type: ResourceType | undefined, object: unknown) => boolean,
): { client: KubeClient; died: Promise<void> } {
  let die: () => void;
  const died = new Promise<void>((resolve) => (die = resolve));
  let dead = false;
  const client = new Proxy(target, {
    get(_, property) {
      const member = Reflect.get(target, property, target) as unknown;
      if (typeof member !== 'function') return member;
      // Of the target, whose private state a proxy has not.
      if (['close', 'watch'].includes(String(property))) return member.bind(target) as unknown;
      return (...args: unknown[]) => {
        if (dead || fits(String(property), args[0] as ResourceType, args[1])) {
          dead = true;
          die();
          return Promise.reject(new Error('the operator is dead'));
        }
        return member.apply(target, args);
      };
    },
  });
  return { client, died };
}
