// Makes a fresh clone ready: installs dependencies when they are missing or older than the lock file. Cheap when there is nothing to do.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Not in node_modules, which `npm ci` removes first. */
const lock = join(root, 'dist', 'setup.lock');

/** Modification time in ms; 0 when there is no such file. */
function modifiedAt(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

const isComplete = () => modifiedAt('node_modules/.package-lock.json') >= modifiedAt('package-lock.json');

if (!isComplete()) {
  await takeLock();
  // Somebody else may have done it while this one waited.
  const status = isComplete() ? 0 : install();
  rmSync(lock, { force: true });
  if (status !== 0) process.exit(status);
}

function install() {
  process.stderr.write('Installing dependencies…\n');
  // Building takes what NODE_ENV=production would leave out.
  const argv = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  return spawnSync('npm', argv, { cwd: root, stdio: ['ignore', 2, 2] }).status ?? 1;
}

/** Two installations at once would remove each other's files. */
async function takeLock() {
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned()) rmSync(lock, { force: true });
    else await delay(100);
  }
}

function isAbandoned() {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // Between its creation and its content.
    if (pid === 0) return Date.now() - statSync(lock).mtimeMs > 5_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
