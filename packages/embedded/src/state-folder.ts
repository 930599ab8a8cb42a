import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makePassableFolder } from './passable-folder.ts';

/** Where root's clusters keep what their pods' users must reach, when root's own folder is closed to them. */
const sharedFolder = '/var/lib/kip';

/**
 * The folder for volumes and pods. When the cluster runs as root its pods run as other users, who cannot pass a folder such as
 * /root: then it lies elsewhere, named after `dataDir`.
 */
export function podStateFolder(dataDir: string): string {
  const folder = resolve(dataDir);
  if (process.getuid?.() !== 0) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }
  if (isPassable(dirname(folder))) return makePassable(folder);
  return makePassable(join(sharedFolder, createHash('sha256').update(folder).digest('hex').slice(0, 12)));
}

/** What lies in it is closed on its own. */
function makePassable(folder: string): string {
  makePassableFolder(folder, 0o711);
  chmodSync(folder, 0o711);
  return folder;
}

function isPassable(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found && (found.mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
