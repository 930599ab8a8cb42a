import { existsSync } from 'node:fs';
import { KipError } from '@skipper/api';
import { createClient, inClusterConfig, loadKubeconfig, resolveCluster, type Cluster, type KubeClient } from '@skipper/kube';
import { embeddedKubeconfig, embeddedName, readSettings } from './home.ts';
import type { GlobalOptions } from './options.ts';
import { printable } from './output.ts';

export interface Target {
  client: KubeClient;
  /** How messages name the cluster. With its server: names of contexts are alike everywhere. */
  name: string;
  context: string;
  embedded: boolean;
}

/**
 * The cluster that a command talks to: flags, then `kip cluster use`, then KUBECONFIG, then the embedded cluster.
 * @throws KipError `no-cluster`
 */
export async function targetCluster(options: GlobalOptions): Promise<Target> {
  const { cluster, embedded } = await chooseCluster(options);
  const { context, server } = cluster;
  return {
    client: createClient(cluster),
    name: embedded ? 'the embedded cluster' : printable(`cluster "${context}" (${server})`),
    context,
    embedded,
  };
}

/** A context, or the current one, of these kubeconfigs, or of those that KUBECONFIG lists. */
export interface Choice {
  context?: string;
  kubeconfigs?: string[];
}

/** @returns undefined when nobody has chosen. @throws KipError `damaged` */
export function choiceOf(options: GlobalOptions): Choice | typeof embeddedName | undefined {
  const { context, kubeconfig } = options;
  if (kubeconfig !== undefined) return { context, kubeconfigs: [kubeconfig] };
  if (context !== undefined) return context === embeddedName ? embeddedName : { context };
  const settings = readSettings();
  if (settings.context !== undefined) return settings.context === embeddedName ? embeddedName : settings;
  return process.env['KUBECONFIG'] ? {} : undefined;
}

async function chooseCluster(options: GlobalOptions): Promise<{ cluster: Cluster; embedded: boolean }> {
  const choice = choiceOf(options);
  if (choice !== undefined && choice !== embeddedName) {
    const kubeconfig = await loadKubeconfig({ files: choice.kubeconfigs }).catch((error: unknown) => {
      if (!(error instanceof KipError) || options.kubeconfig !== undefined || choice.kubeconfigs === undefined) throw error;
      throw new KipError(error.code, error.message, { hint: 'Choose the cluster again with "kip cluster use".', cause: error });
    });
    return { cluster: resolveCluster(kubeconfig, choice.context), embedded: false };
  }
  const inside = choice === undefined ? inClusterConfig() : undefined;
  if (inside) return { cluster: inside, embedded: false };
  if (existsSync(embeddedKubeconfig()))
    return { cluster: resolveCluster(await loadKubeconfig({ files: [embeddedKubeconfig()] })), embedded: true };
  throw new KipError('no-cluster', 'No cluster is chosen and none is running.', {
    hint: 'Start one on this machine with "kip up", or choose one with "kip cluster use".',
  });
}

/** Runs `work` with the cluster that a command talks to. An embedded cluster that does not answer is stopped, so that is said. */
export async function withCluster<T>(options: GlobalOptions, work: (target: Target) => Promise<T>): Promise<T> {
  const target = await targetCluster(options);
  try {
    return await work(target);
  } catch (error) {
    if (target.embedded && error instanceof KipError && error.code === 'unreachable') {
      throw new KipError('no-cluster', 'The embedded cluster is not running.', { hint: 'Start it with "kip up".', cause: error });
    }
    throw error;
  } finally {
    target.client.close();
  }
}

/** Whether a cluster runs the commands of apps without an image, as processes of its machine: the embedded one does. */
export async function runsProcesses(client: KubeClient): Promise<boolean> {
  const { gitVersion } = JSON.parse((await client.raw('GET', '/version')).body) as { gitVersion: string };
  return gitVersion.endsWith('+kip');
}
