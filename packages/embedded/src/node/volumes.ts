import { chown, lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { persistentVolumeClaims } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Container, KeyToPath, Pod, Volume } from 'kubernetes-types/core/v1.d.ts';
import { persistentVolumes } from '../kinds.ts';
import { ContainerError, type References } from './environment.ts';

export interface Owner {
  uid: number | undefined;
  gid: number | undefined;
}

/** Host folders of a pod's volumes by name. */
export type VolumePaths = ReadonlyMap<string, string>;

/**
 * Makes a pod's volumes. Safe to repeat.
 * @param folder the pod's own folder, for everything but claims.
 * @throws ContainerError while something that a volume refers to is missing.
 */
export async function makeVolumes(client: KubeClient, pod: Pod, folder: string, owner: Owner, references: References): Promise<VolumePaths> {
  const paths = new Map<string, string>();
  for (const volume of pod.spec?.volumes ?? []) {
    paths.set(volume.name, await makeVolume(client, pod, volume, join(folder, 'volumes', volume.name), owner, references));
  }
  return paths;
}

async function makeVolume(client: KubeClient, pod: Pod, volume: Volume, folder: string, owner: Owner, references: References): Promise<string> {
  if (volume.persistentVolumeClaim) return claimFolder(client, pod, volume.persistentVolumeClaim.claimName, owner);
  if (volume.emptyDir) {
    await makeOwned(folder, owner);
    return folder;
  }
  const { secret, configMap } = volume;
  if (secret?.secretName) await writeFiles(folder, await references.secret(secret.secretName), secret, `secret "${secret.secretName}"`, owner);
  else if (configMap?.name) await writeFiles(folder, await references.configMap(configMap.name), configMap, `configmap "${configMap.name}"`, owner);
  // Every pod of a real cluster has one of these, with a token that processes here have no use for.
  else if (volume.projected) await makeOwned(folder, owner);
  else throw new ContainerError('CreateContainerConfigError', `volume "${volume.name}" is of a kind that is not supported here`);
  return folder;
}

async function claimFolder(client: KubeClient, pod: Pod, claimName: string, owner: Owner): Promise<string> {
  const namespace = pod.metadata!.namespace!;
  const claim = await client.find(persistentVolumeClaims, claimName, { namespace });
  if (!claim) throw new ContainerError('ContainerCreating', `persistentvolumeclaim "${claimName}" not found`);
  const volume = claim.status?.phase === 'Bound' && claim.spec?.volumeName ? await client.find(persistentVolumes, claim.spec.volumeName) : undefined;
  const path = volume?.spec?.hostPath?.path;
  if (!path) throw new ContainerError('ContainerCreating', `persistentvolumeclaim "${claimName}" is not bound yet`);
  await makeOwned(path, owner);
  return path;
}

async function makeOwned(folder: string, { uid, gid }: Owner): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (uid !== undefined) await chown(folder, uid, gid ?? uid);
}

/** Written aside and put in place at once. */
async function writeFiles(folder: string, values: Record<string, string> | undefined, source: { items?: KeyToPath[]; optional?: boolean }, what: string, owner: Owner): Promise<void> {
  if (!values && !source.optional) throw new ContainerError('ContainerCreating', `${what} not found`);
  const items = source.items ?? Object.keys(values ?? {}).map((key) => ({ key, path: key }));
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await makeOwned(unfinished, owner);
  for (const { key, path } of items) {
    const value = values?.[key];
    if (value === undefined) {
      if (source.optional) continue;
      throw new ContainerError('ContainerCreating', `${what} has no key ${key}`);
    }
    const file = within(unfinished, path);
    await mkdir(join(file, '..'), { recursive: true, mode: 0o755 });
    await writeFile(file, value, { mode: 0o400, flag: 'wx' });
    if (owner.uid !== undefined) await chown(file, owner.uid, owner.gid ?? owner.uid);
  }
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
}

/** @throws ContainerError when `path` would leave `folder`. */
function within(folder: string, path: string): string {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../')) throw new ContainerError('CreateContainerConfigError', `path "${path}" leads out of its volume`);
  return join(folder, normal);
}

/**
 * The host path of a path inside a container: by its longest mount, else in the container's scratch folder.
 * @throws ContainerError when a mount's `subPath` leads out of its volume or passes a symbolic link, which the pod could have made.
 */
export async function hostPathsOf(container: Container, volumes: VolumePaths, scratch: string, owner: Owner): Promise<(containerPath: string) => string> {
  await makeOwned(scratch, owner);
  const mounts: { at: string; folder: string }[] = [];
  for (const { name, mountPath, subPath } of container.volumeMounts ?? []) {
    const folder = volumes.get(name);
    if (!folder) continue;
    mounts.push({ at: posix.resolve('/', mountPath), folder: subPath ? await subFolder(folder, subPath, owner) : folder });
  }
  mounts.sort((a, b) => b.at.length - a.at.length);
  return (containerPath) => {
    const path = posix.resolve('/', containerPath);
    const mount = mounts.find(({ at }) => path === at || path.startsWith(at === '/' ? '/' : `${at}/`));
    return mount ? join(mount.folder, path.slice(mount.at.length)) : join(scratch, path);
  };
}

async function subFolder(folder: string, subPath: string, owner: Owner): Promise<string> {
  const target = within(folder, subPath);
  let at = folder;
  for (const part of posix.normalize(subPath).split('/')) {
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (found?.isSymbolicLink()) throw new ContainerError('CreateContainerConfigError', `subPath "${subPath}" passes a symbolic link`);
    if (!found) await makeOwned(at, owner);
  }
  return target;
}
