import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const isLinux = process.platform === 'linux';

/** Differs from boot to boot where start times do not. */
export function bootId(): string {
  try {
    // Linux counts from the boot; elsewhere start times are dates.
    return isLinux ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : '';
  } catch {
    return '';
  }
}

/**
 * When a process began, as the system tells it. `undefined` when there is no such process, or, on Linux, only its remains.
 */
export function startTimeOf(pid: number): string | undefined {
  try {
    if (isLinux) {
      const fields = statOf(String(pid));
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    // Shells with other settings must be told the same.
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    const argv = ['-o', 'lstart=', '-p', String(pid)];
    return execFileSync('ps', argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process of this group has `mark` in its command line. */
export function groupHas(group: number, mark: string): boolean {
  try {
    // Fails when it finds none.
    if (!isLinux) return execFileSync('pgrep', ['-g', String(group), '-f', mark], { encoding: 'utf8' }) !== '';
  } catch {
    return false;
  }
  return readdirSync('/proc').some((pid) => {
    try {
      return /^\d+$/.test(pid) && statOf(pid)[2] === String(group) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      // It has ended since.
      return false;
    }
  });
}

/** From the state on: the name in parentheses before it may contain anything, so fields are counted from its end. */
function statOf(pid: string): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
}
