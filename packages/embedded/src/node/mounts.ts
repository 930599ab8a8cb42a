import { lstat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { ContainerError } from './container-error.ts';
import { expand } from './environment.ts';
import { makeOwned, makePassable, type Owner } from './ownership.ts';
import { within } from './projection.ts';
import type { VolumePaths } from './volumes.ts';

/**
 * The host path of a path inside a container: by its longest mount, else in the container's scratch folder.
 * @throws ContainerError when a mount's `subPath` leads out of its volume or passes a symbolic link, which the pod could have made.
 */
export async function hostPathsOf(
  container: Container,
  volumes: VolumePaths,
  scratch: string,
  owner: Owner,
  env: Record<string, string>,
): Promise<(containerPath: string) => string> {
  await makePassable(dirname(scratch));
  await makeOwned(scratch, owner);
  const mounts: { at: string; folder: string }[] = [];
  for (const { name, mountPath, subPath, subPathExpr } of container.volumeMounts ?? []) {
    const folder = volumes.get(name);
    if (!folder) throw new ContainerError('CreateContainerConfigError', `there is no volume "${name}" to mount`);
    const inside = subPath ?? (subPathExpr === undefined ? undefined : expand(subPathExpr, env));
    mounts.push({ at: posix.resolve('/', mountPath), folder: inside ? await subFolder(folder, inside, owner) : folder });
  }
  mounts.sort((a, b) => b.at.length - a.at.length);
  return (containerPath) => {
    const path = posix.resolve('/', containerPath);
    const mount = mounts.find(({ at }) => at === '/' || path === at || path.startsWith(`${at}/`));
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
