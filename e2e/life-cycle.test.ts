import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { until } from './support/until.ts';

/** `kip up` and `kip down`, by people who do not wait for each other. */

const script = fileURLToPath(new URL('../kip', import.meta.url));
const homes: string[] = [];

afterEach(async () => {
  for (const home of homes.splice(0)) {
    await kip(home, 'down');
    rmSync(home, { recursive: true, force: true });
  }
});

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'kip-life-'));
  homes.push(home);
  return home;
}

function kip(home: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return kipAs({ KIP_HOME: home }, {}, ...args);
}

function kipAs(env: NodeJS.ProcessEnv, options: object, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(script, args, { env: { ...process.env, KUBECONFIG: '', NO_COLOR: '1', ...env }, ...options }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

const recordIn = (home: string) =>
  JSON.parse(readFileSync(join(home, 'embedded', 'running.json'), 'utf8')) as { pid: number; stopping?: boolean };
const pidIn = (home: string): number => recordIn(home).pid;

/** Whether the cluster has said that it stops, or has ended already. */
function isStopping(home: string): boolean {
  return !existsSync(join(home, 'embedded', 'running.json')) || recordIn(home).stopping === true;
}

it('starts one cluster for all who start it at once', async () => {
  const home = newHome();
  const ended = await Promise.all([kip(home, 'up'), kip(home, 'up'), kip(home, 'up')]);
  for (const { code, output } of ended) {
    expect(output).toMatch(/The embedded cluster (is up|was up already): https:\/\/127\.0\.0\.1:/);
    expect(code).toBe(0);
  }
  expect((await kip(home, 'status')).code).toBe(0);
});

it('is stopped while it starts, and starts again after one that is stopping', async () => {
  const home = newHome();
  const starting = kip(home, 'up');
  await until('its process is noted', async () => pidIn(home) > 0);
  expect((await kip(home, 'down')).output).toContain('is stopped');
  expect((await starting).output).toMatch(/was stopped while it started|is up/);
  expect((await kip(home, 'up')).code).toBe(0);
  const first = pidIn(home);
  process.kill(first, 'SIGTERM');
  await until('it stops', async () => isStopping(home));
  const again = await kip(home, 'up');
  expect(again.output).toContain('The embedded cluster is up: ');
  expect(pidIn(home)).not.toBe(first);
  expect((await kip(home, 'status')).code).toBe(0);
});

it('is found again where KIP_HOME is relative', async () => {
  const home = newHome();
  expect((await kipAs({ KIP_HOME: './kip-home' }, { cwd: home }, 'up')).output).toContain('is up');
  expect((await kip(join(home, 'kip-home'), 'down')).output).toContain('is stopped');
});
