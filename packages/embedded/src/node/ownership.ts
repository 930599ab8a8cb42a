import { chmod, lchown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Who owns a pod's files; nobody but the cluster's own user when undefined. */
export interface Owner {
  uid: number | undefined;
  gid: number | undefined;
}

/** A folder for `owner` alone. */
export async function makeOwned(folder: string, owner: Owner): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await giveTo(folder, owner);
}

/** A folder of the cluster's own that other users may pass, but not list. */
export async function makePassable(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  await chmod(folder, 0o711);
}

/** Never follows a link, which a pod could have made. */
export async function giveTo(path: string, { uid, gid }: Owner): Promise<void> {
  if (uid !== undefined) await lchown(path, uid, gid ?? uid);
}

/** Everything below `folder`. */
export async function giveAllTo(folder: string, owner: Owner): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveAllTo(path, owner);
    await giveTo(path, owner);
  }
}
