import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';

/** The account "nobody". A user that the system does not know would do for isolation between pods, but initdb wants to know its own name. */
export const unprivilegedId = 65_534;

export interface Account {
  name: string;
  gid: number;
  /** `undefined` for an account that is meant to have none. */
  home: string | undefined;
}

/** What the system knows of a user; of the cluster's own for `undefined`. */
export function accountOf(uid: number | undefined): Account | undefined {
  if (uid === undefined) return ownAccount();
  const line = systemAccounts().find((fields) => fields[2] === String(uid));
  if (!line) return undefined;
  const [name = '', , , gid, , home] = line;
  return { name, gid: Number(gid), home: uid === unprivilegedId ? undefined : home };
}

function ownAccount(): Account | undefined {
  try {
    const { username, gid } = userInfo();
    return { name: username, gid, home: homedir() };
  } catch {
    // A number without a name, as in some containers.
    return undefined;
  }
}

function systemAccounts(): string[][] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
