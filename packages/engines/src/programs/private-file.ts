import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { ContainerContext } from '@skipper/api';

type Owner = Pick<ContainerContext, 'uid' | 'gid'>;

/**
 * Writes a file that the pod alone can read, into a folder of the pod's. The cluster can be root, and a link that the pod made must
 * lead it nowhere: what is there is removed, and what is given to the pod is what was made here. On the disk when this returns.
 */
export async function writePrivateFile(path: string, content: string, { uid, gid }: Owner, mode = 0o600): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
    if (uid !== undefined) await file.chown(uid, gid ?? uid);
  } finally {
    await file.close();
  }
}

/** No links, and no waiting for whoever would write to a pipe. */
const asItIs = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Of what opens like that: nothing there, a link, a socket. */
const noFile = new Set(['ENOENT', 'ELOOP', 'ENXIO']);

/**
 * The text of a file in a folder of the pod's; `undefined` when there is none, and for all that the pod could have put there to have
 * the cluster read what the pod may not: links, pipes, the files of others.
 */
export async function readPrivateFile(path: string, { uid }: Owner): Promise<string | undefined> {
  const file = await open(path, asItIs).catch((error: NodeJS.ErrnoException) => {
    if (noFile.has(error.code ?? '')) return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const found = await file.stat();
    return found.isFile() && (uid === undefined || found.uid === uid) ? await file.readFile('utf8') : undefined;
  } finally {
    await file.close();
  }
}
