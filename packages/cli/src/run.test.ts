import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from './run.ts';

const runner = join(import.meta.dirname, '..', '..', '..', 'scripts', 'run.mjs');
const home = mkdtempSync(join(tmpdir(), 'kip-run-'));
const { argv: ownArgv } = process;

// Where there is no cluster.
beforeEach(() => void vi.stubEnv('KIP_HOME', home).stubEnv('KUBECONFIG', ''));
afterEach(() => {
  process.argv = ownArgv;
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});
afterAll(() => rmSync(home, { recursive: true }));

async function kip(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const ended = { code: 0, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    vi.spyOn(process[name], 'write').mockImplementation((text) => Boolean((ended[name] += String(text))));
  process.argv = ['node', 'kip', ...argv];
  ended.code = await run(argv);
  return ended;
}
const noCluster = { code: 1, stderr: expect.stringContaining('kip up') };

describe.skipIf(!existsSync('/dev/full'))('output that cannot be written (needs /dev/full)', () => {
  it.each([['version'], ['completion', 'bash'], ['--help']])('fails kip %s', (...argv) => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [runner, join(import.meta.dirname, 'main.ts'), ...argv], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect([status, stderr]).toEqual([1, 'Error: the output cannot be written (ENOSPC).\n']);
  });
});

describe('the words behind "--"', () => {
  it('are the command, never the name', async () => {
    expect(await kip('app', 'deploy', '--', 'node', 'server.js')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs a name'),
    });
    expect(await kip('app', 'deploy', 'api', '--port', '80', '--', 'npm', 'run', 'x', '--', '-y')).toMatchObject(noCluster);
  });

  it('leave the name to the manifest', async () => {
    const file = join(home, 'app.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'skipper.dev/v1alpha1', kind: 'App', metadata: { name: 'api' }, spec: {} }));
    expect(await kip('app', 'deploy', '-f', file, '--', 'node', 'server.js')).toMatchObject(noCluster);
  });

  it('are all of the command', async () => {
    expect(await kip('app', 'deploy', 'api', 'env', '--', 'node')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('api -- env node'),
    });
  });
});

describe('the version', () => {
  it.each([['version'], ['-V'], ['--version']])('is printed by kip %s', async (word) => {
    expect(await kip(word)).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it("is the engine's for a service", async () => {
    expect(await kip('service', 'add', 'postgres', '--name', 'db', '--version', '17')).toMatchObject(noCluster);
  });
});

describe('verbosity', () => {
  it.each([[['-v']], [['--verbose']]])('is asked for by %s', async (flags) => {
    expect((await kip(...flags, 'app', 'deploy', 'api', '--', 'node')).stderr).toContain('    at ');
    expect((await kip('app', 'deploy', 'api', ...flags, '--', 'node')).stderr).toContain('    at ');
  });

  it('is not asked for by an option of a command', async () => {
    expect((await kip('app', 'deploy', 'api', '--', 'node', '-v')).stderr).not.toContain('    at ');
  });
});

describe('a time to wait', () => {
  it.each(['597h', '36000m', '99999999s'])('of %s is refused: no timer is that long', async (time) => {
    expect(await kip('app', 'restart', 'api', '--timeout', time)).toMatchObject({ code: 2, stderr: expect.stringContaining('596h') });
  });

  it('may be long', async () => {
    expect(await kip('app', 'restart', 'api', '--timeout', '596h')).toMatchObject(noCluster);
  });

  it('is no limit to how far back logs go', async () => {
    expect(await kip('app', 'logs', 'api', '--since', '1000h')).toMatchObject(noCluster);
  });
});

describe('kip help', () => {
  it.each([
    [[], 'kip [options] [command]'],
    [['service'], 'kip service [options] [command]'],
    [['service', 'add'], 'kip service add [options] <type>'],
    [['service', 'open'], 'kip service connect|open [options] <name>'],
    [['app', 'env', 'set'], 'kip app env set [options] <name> [variables...]'],
  ])('takes the words %j', async (words, usage) => {
    expect(await kip('help', ...words)).toMatchObject({ code: 0, stdout: expect.stringContaining(`Usage: ${usage}\n`), stderr: '' });
  });

  it.each([[['frobnicate']], [['app', 'frobnicate']], [['app', 'list', 'frobnicate']]])('knows no %j', async (words) => {
    expect(await kip('help', ...words)).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining("unknown command 'frobnicate'") });
  });
});
