import { chmod, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { persistentVolumeClaims } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Pod, Volume } from 'kubernetes-types/core/v1.d.ts';
import { persistentVolumes } from '../kinds.ts';
import { ContainerError } from './container-error.ts';
import { giveTo, giveAllTo, makeOwned, makePassable, type Owner } from './ownership.ts';
import { projectionOf, writeProjection } from './projection.ts';
import type { References } from './references.ts';

/** Host folders of a pod's volumes by name. */
export type VolumePaths = ReadonlyMap<string, string>;

export interface VolumeContext {
  client: KubeClient;
  pod: Pod;
  podIP: string;
  /** The pod's own folder, for everything but claims. */
  folder: string;
  owner: Owner;
  references: References;
}

/**
 * Makes a pod's volumes. Safe to repeat.
 * @throws ContainerError while something that a volume refers to is missing.
 */
export async function makeVolumes(context: VolumeContext): Promise<VolumePaths> {
  await makePassable(join(context.folder, 'volumes'));
  const paths = new Map<string, string>();
  for (const volume of context.pod.spec?.volumes ?? []) paths.set(volume.name, await makeVolume(volume, context));
  return paths;
}

async function makeVolume(volume: Volume, context: VolumeContext): Promise<string> {
  const folder = join(context.folder, 'volumes', volume.name);
  if (volume.persistentVolumeClaim) return claimFolder(volume.persistentVolumeClaim.claimName, context);
  if (volume.emptyDir) {
    await makeOwned(folder, context.owner);
    return folder;
  }
  const files = await projectionOf(volume, context);
  if (!files) throw new ContainerError('CreateContainerConfigError', `volume "${volume.name}" is of a kind that is not supported here`);
  // Written aside and put in place at once.
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await makeOwned(unfinished, context.owner);
  await writeProjection(unfinished, files, context.owner);
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  return folder;
}

async function claimFolder(claimName: string, { client, pod, owner }: VolumeContext): Promise<string> {
  const namespace = pod.metadata!.namespace!;
  const claim = await client.find(persistentVolumeClaims, claimName, { namespace });
  if (!claim) throw new ContainerError('ContainerCreating', `persistentvolumeclaim "${claimName}" not found`);
  if (claim.metadata?.deletionTimestamp)
    throw new ContainerError('ContainerCreating', `persistentvolumeclaim "${claimName}" is being deleted`);
  const volume =
    claim.status?.phase === 'Bound' && claim.spec?.volumeName ? await client.find(persistentVolumes, claim.spec.volumeName) : undefined;
  const path = volume?.spec?.hostPath?.path;
  if (!path) throw new ContainerError('ContainerCreating', `persistentvolumeclaim "${claimName}" is not bound yet`);
  const found = await stat(path).catch(() => undefined);
  // Made with the claim. Were it made again here, lost data would look like a new, empty volume.
  if (!found?.isDirectory())
    throw new ContainerError('ContainerCreating', `the folder ${path} of persistentvolumeclaim "${claimName}" is not there`);
  if (owner.uid !== undefined && found.uid !== owner.uid) {
    // From within, so that a kill halfway leaves the folder itself with its former owner and it is done again.
    await giveAllTo(path, owner);
    await giveTo(path, owner);
  }
  await chmod(path, 0o700);
  return path;
}
