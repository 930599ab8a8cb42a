import { join } from 'node:path';
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { RunContext } from './container-host.ts';
import { environmentOf, expand } from './environment.ts';
import { hostContext } from './host-context.ts';
import { hostPathsOf } from './mounts.ts';
import type { Owner } from './ownership.ts';
import type { PodEnvironment } from './pod-environment.ts';
import { referencesOf } from './references.ts';
import type { VolumePaths } from './volumes.ts';

/** What the containers of one pod have in common. */
export interface PodContext {
  pod: Pod;
  podIP: string;
  /** The pod's own. */
  folder: string;
  owner: Owner;
  volumes: VolumePaths;
  environment: PodEnvironment;
  warn(reason: string, message: string): void;
}

/**
 * What a container runs with: its variables, words and paths, everything they refer to as it is now.
 * @throws ContainerError while something that it refers to is missing, and for what cannot be had here.
 */
export async function containerContext(
  container: Container,
  signal: AbortSignal,
  { pod, podIP, folder, owner, volumes, environment, warn }: PodContext,
): Promise<Omit<RunContext, 'run'>> {
  const { client, enginesDir, images } = environment;
  const namespace = pod.metadata!.namespace!;
  const host = await hostContext(container, { pod, podIP, folder, owner, images, support: environment, warn });
  const env = await host.finish(await environmentOf(pod, podIP, container, referencesOf(client, namespace), host.base));
  return {
    enginesDir,
    namespace,
    podName: pod.metadata!.name!,
    containerName: container.name,
    podIP,
    env,
    hosts: host.hosts,
    command: container.command?.map((word) => expand(word, env)),
    args: container.args?.map((word) => expand(word, env)),
    hostPath: await hostPathsOf(container, volumes, join(folder, 'root', container.name), owner, env),
    ...owner,
    signal,
  };
}
