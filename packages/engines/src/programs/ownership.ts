import { chown, mkdir } from 'node:fs/promises';
import type { ContainerContext } from '@skipper/api';

/** Gives a path to the user that the pod's processes run as; nothing to do where the cluster itself is unprivileged. */
export async function giveToPod(path: string, context: Pick<ContainerContext, 'uid' | 'gid'>): Promise<void> {
  if (context.uid !== undefined) await chown(path, context.uid, context.gid ?? context.uid);
}

/** Makes a folder for the pod, and its parents, each of which that is new belongs to the pod. */
export async function makePodFolder(path: string, context: Pick<ContainerContext, 'uid' | 'gid'>, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = at.slice(0, at.lastIndexOf('/'))) await giveToPod(at, context);
}
