import { writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { DownwardAPIVolumeFile, KeyToPath, Pod, Volume } from 'kubernetes-types/core/v1.d.ts';
import { makePassableFolder } from '../passable-folder.ts';
import { ContainerError } from './container-error.ts';
import { giveTo, type Owner } from './ownership.ts';
import { fieldOf, resourceFieldOf } from './pod-fields.ts';
import type { References, Values } from './references.ts';

/** Files of a volume by their path in it. */
export type Projection = ReadonlyMap<string, Buffer>;

export interface ProjectionContext {
  pod: Pod;
  podIP: string;
  references: References;
}

/**
 * The files of a volume that shows objects of the API; `undefined` for a volume of another kind.
 * @throws ContainerError while something that it shows is missing.
 */
export async function projectionOf(
  { name, secret, configMap, downwardAPI, projected }: Volume,
  context: ProjectionContext,
): Promise<Projection | undefined> {
  if (secret) return secretFiles(secret.secretName ?? '', secret, context);
  if (configMap) return configMapFiles(configMap.name ?? '', configMap, context);
  if (downwardAPI) return fieldFiles(downwardAPI.items, context);
  if (!projected) return undefined;
  const files = new Map<string, Buffer>();
  for (const source of projected.sources ?? []) {
    let part: Projection;
    if (source.secret) part = await secretFiles(source.secret.name ?? '', source.secret, context);
    else if (source.configMap) part = await configMapFiles(source.configMap.name ?? '', source.configMap, context);
    else if (source.downwardAPI) part = fieldFiles(source.downwardAPI.items, context);
    else throw new ContainerError('CreateContainerConfigError', `volume "${name}" projects a kind of source that is not supported here`);
    for (const [path, content] of part) files.set(path, content);
  }
  return files;
}

type Selection = { items?: KeyToPath[]; optional?: boolean };

async function secretFiles(name: string, selection: Selection, { references }: ProjectionContext): Promise<Projection> {
  return chosen(await references.secret(name), selection, `secret "${name}"`);
}

async function configMapFiles(name: string, selection: Selection, { references }: ProjectionContext): Promise<Projection> {
  return chosen(await references.configMap(name), selection, `configmap "${name}"`);
}

function chosen(values: Values | undefined, { items, optional }: Selection, what: string): Projection {
  if (!values && !optional) throw new ContainerError('ContainerCreating', `${what} not found`);
  const files = new Map<string, Buffer>();
  for (const { key, path } of items ?? Object.keys(values ?? {}).map((key) => ({ key, path: key }))) {
    const value = values?.[key];
    if (value) files.set(path, value);
    else if (!optional) throw new ContainerError('ContainerCreating', `${what} has no key ${key}`);
  }
  return files;
}

function fieldFiles(items: readonly DownwardAPIVolumeFile[] = [], { pod, podIP }: ProjectionContext): Projection {
  return new Map(
    items.map(({ path, fieldRef, resourceFieldRef }) => [
      path,
      Buffer.from(
        resourceFieldRef
          ? resourceFieldOf(pod, pod.spec!.containers[0]!, resourceFieldRef)
          : fieldOf(pod, podIP, fieldRef?.fieldPath ?? ''),
      ),
    ]),
  );
}

/** Readable by their owner alone, whatever mode was asked for: they hold secrets, and no other user has business with them. */
export async function writeProjection(folder: string, files: Projection, owner: Owner): Promise<void> {
  for (const [path, content] of files) {
    const file = within(folder, path);
    makePassableFolder(dirname(file), 0o755);
    await writeFile(file, content, { mode: 0o400, flag: 'wx' });
    await giveTo(file, owner);
  }
}

/** @throws ContainerError when `path` would leave `folder`. */
export function within(folder: string, path: string): string {
  const normal = posix.normalize(path);
  if (path.includes('\0') || posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../'))
    throw new ContainerError('CreateContainerConfigError', `path "${path}" leads out of its volume`);
  return join(folder, normal);
}
