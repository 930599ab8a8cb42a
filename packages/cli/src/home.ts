import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where kip keeps what is this user's. */
export function kipHome(): string {
  return resolve(process.env['KIP_HOME'] || join(homedir(), '.kip'));
}

export const embeddedFolder = (): string => join(kipHome(), 'embedded');
export const embeddedKubeconfig = (): string => join(embeddedFolder(), 'kubeconfig');

/** Programs that were fetched. Root's go where the users that pods run as can read them. */
export function enginesFolder(): string {
  return process.getuid?.() === 0 ? '/var/lib/kip/engines' : join(kipHome(), 'engines');
}

interface Settings {
  /** The context that `kip cluster use` chose; `embedded` is the embedded cluster. */
  context?: string;
  /** The kubeconfig that has it, when it was not KUBECONFIG's. */
  kubeconfig?: string;
}

export function readSettings(): Settings {
  try {
    return JSON.parse(readFileSync(join(kipHome(), 'config.json'), 'utf8')) as Settings;
  } catch {
    return {};
  }
}

export function writeSettings(settings: Settings): void {
  mkdirSync(kipHome(), { recursive: true, mode: 0o700 });
  const file = join(kipHome(), 'config.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
