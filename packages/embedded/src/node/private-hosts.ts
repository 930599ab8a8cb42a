import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from './ownership.ts';

/** Starts programs with a file of their own in place of /etc/hosts, in a private mount namespace. */
export interface PrivateHosts {
  /**
   * Whether {@link command} begins as root: then it must begin with an empty environment, for the loader and the shell would obey what
   * the pod has in its own.
   */
  readonly beginsAsRoot: boolean;
  /** The command that binds `file` over /etc/hosts, becomes `owner` and then `argv`: always the same process. */
  command(file: string, argv: readonly string[], owner: Owner): [string, ...string[]];
}

const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const bind = 'file=$1 mount=$2; shift 2; "$mount" -n --bind "$file" /etc/hosts && exec "$@"';
const trialWithinMs = 5_000;

/**
 * Finds out by trial whether this can be done here: on Linux, as root or where the kernel lets users have namespaces of their own, and
 * with util-linux. @param folder for the trial. @returns why not, when it cannot.
 */
export async function findPrivateHosts(folder: string): Promise<PrivateHosts | string> {
  if (process.platform !== 'linux') return 'only Linux has private mount namespaces';
  const [unshare, mount, setpriv] = ['unshare', 'mount', 'setpriv'].map(programPath);
  if (!unshare || !mount || !setpriv) return 'unshare, mount or setpriv of util-linux is not installed';
  const found = process.getuid?.() === 0 ? rootsWay(unshare, mount, setpriv) : usersWay(unshare, mount, setpriv);
  const failure = await trial(found, folder);
  return failure ?? found;
}

function rootsWay(unshare: string, mount: string, setpriv: string): PrivateHosts {
  return {
    beginsAsRoot: true,
    command: (file, argv, { uid, gid }) => {
      const become = uid === undefined ? [] : [setpriv, `--reuid=${uid}`, `--regid=${gid ?? uid}`, '--clear-groups', '--'];
      return [unshare, '--mount', '--propagation=slave', '--', '/bin/sh', '-c', bind, 'sh', file, mount, ...become, ...argv];
    },
  };
}

/** In a user namespace, whose rights are given up again before the program begins. */
function usersWay(unshare: string, mount: string, setpriv: string): PrivateHosts {
  const namespaces = ['--user', '--map-current-user', '--keep-caps', '--mount', '--propagation=slave'];
  const giveUp = [setpriv, '--inh-caps=-all', '--ambient-caps=-all', '--'];
  return {
    beginsAsRoot: false,
    command: (file, argv) => [unshare, ...namespaces, '--', '/bin/sh', '-c', bind, 'sh', file, mount, ...giveUp, ...argv],
  };
}

function programPath(name: string): string | undefined {
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @returns what went wrong. */
async function trial(hosts: PrivateHosts, folder: string): Promise<string | undefined> {
  const own = mkdtempSync(join(folder, 'hosts-'));
  try {
    const file = join(own, 'hosts');
    writeFileSync(file, 'trial\n');
    const [program, ...args] = hosts.command(file, ['/bin/cat', '/etc/hosts'], { uid: undefined, gid: undefined });
    return await new Promise((resolve) => {
      execFile(program, args, { timeout: trialWithinMs, env: {} }, (error, output, errors) => {
        if (output === 'trial\n') resolve(undefined);
        else resolve(errors.trim().split('\n')[0] || (error?.message ?? 'the bound file is not seen'));
      });
    });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Variables as a shell takes them over. Names that are no shell variable's, which a shell would not pass on, are left out. */
export function exportsOf(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !reserved.has(name))
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** Read-only where /bin/sh is bash. */
const reserved = new Set(['UID', 'EUID', 'PPID', 'BASHOPTS', 'SHELLOPTS', 'BASH_VERSINFO']);
