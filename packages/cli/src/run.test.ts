import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const runner = join(import.meta.dirname, '..', '..', '..', 'scripts', 'run.mjs');

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
