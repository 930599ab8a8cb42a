import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { KipError } from '@skipper/api';

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

/** The name under which the embedded cluster is chosen. */
export const embeddedName = 'embedded';

/** What `kip cluster use` chose. */
interface Settings {
  context?: string;
  /** The kubeconfigs that it was found in, as paths from the root: names of contexts are alike everywhere. None for the embedded cluster. */
  kubeconfigs?: string[];
}

const settingsFile = (): string => join(kipHome(), 'config.json');

/** @throws KipError `damaged`, `forbidden`: to go on without them could mean another cluster. */
export function readSettings(): Settings {
  let text: string | undefined;
  try {
    text = readInHome(settingsFile());
  } catch (error) {
    throw error instanceof KipError ? error : unusable(`cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
  if (text === undefined) return {};
  let settings: unknown;
  try {
    settings = JSON.parse(text);
  } catch (error) {
    throw unusable('is not valid JSON', error);
  }
  if (!isSettings(settings)) throw unusable('does not say which cluster was chosen');
  return settings;
}

function isSettings(value: unknown): value is Settings {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { context, kubeconfigs } = value as { context?: unknown; kubeconfigs?: unknown };
  if (context === undefined || context === embeddedName) return true;
  return (
    typeof context === 'string' &&
    Array.isArray(kubeconfigs) &&
    kubeconfigs.length > 0 &&
    kubeconfigs.every((file) => typeof file === 'string')
  );
}

function unusable(why: string, cause?: unknown): KipError {
  return new KipError('damaged', `${settingsFile()} ${why}.`, {
    hint: 'Choose the cluster again with "kip cluster use", which writes that file anew, or name it with --context or --kubeconfig.',
    cause,
  });
}

/** Work in this user's folder. @throws KipError `forbidden` or `disk-full` that says the mend */
export function inHome<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new KipError('disk-full', `There is no space left in ${kipHome()}.`, { hint: 'Make room, and try again.', cause: error });
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw error;
    throw new KipError('forbidden', `This user may not use ${kipHome()} (${code}).`, {
      hint: 'Where kip ran with sudo before, run it so again, or give the folder to this user with chown; KIP_HOME names another folder.',
      cause: error,
    });
  }
}

/**
 * The text of a file in it; `undefined` when there is none. Whether one exists is not asked first: of a folder that may not be looked into
 * the answer would be no.
 * @throws KipError as {@link inHome}
 */
export function readInHome(file: string): string | undefined {
  return inHome(() => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

export function writeSettings(settings: Settings): void {
  inHome(() => write(settings));
}

function write(settings: Settings): void {
  mkdirSync(kipHome(), { recursive: true, mode: 0o700 });
  const file = settingsFile();
  writeFileSync(`${file}.new`, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
