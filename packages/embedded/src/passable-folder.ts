import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder that the pods' users can pass, and what is missing above it. Where the cluster runs as root these are other users than
 * its own, and must be let in whatever the umask says; what was there before stays as it is.
 */
export function makePassableFolder(folder: string, mode: 0o711 | 0o755): void {
  const first = mkdirSync(folder, { recursive: true, mode });
  if (first === undefined || process.getuid?.() !== 0) return;
  for (let at = folder; ; at = dirname(at)) {
    chmodSync(at, mode);
    if (at === first || at === dirname(at)) return;
  }
}
