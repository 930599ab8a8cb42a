import { lchown, mkdir } from 'node:fs/promises';
import type { ContainerContext } from '@skipper/api';

/**
 * Gives a path to the user that the pod's processes run as, and no link's target, as the pod could have made the link; nothing to do
 * where the cluster itself is unprivileged.
 */
export async function giveToPod(path: string, context: Pick<ContainerContext, 'uid' | 'gid'>): Promise<void> {
  if (context.uid !== undefined) await lchown(path, context.uid, context.gid ?? context.uid);
}

/** Makes a folder for the pod, and its parents, each of which that is new belongs to the pod. */
export async function makePodFolder(path: string, context: Pick<ContainerContext, 'uid' | 'gid'>, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = at.slice(0, at.lastIndexOf('/'))) await giveToPod(at, context);
}
