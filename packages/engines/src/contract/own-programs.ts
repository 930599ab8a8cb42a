import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessHost } from '../engine.ts';

const build = fileURLToPath(new URL('../../../../scripts/build-programs.mjs', import.meta.url));
let folder: string | undefined;

/** Skipper's own programs, built from this tree when the first is asked for. */
export const ownPrograms: ProcessHost = {
  ownProgram(name) {
    if (folder === undefined) {
      const made = (folder = mkdtempSync(join(tmpdir(), 'skipper-programs-')));
      process.once('exit', () => rmSync(made, { recursive: true, force: true }));
      execFileSync(process.execPath, [build, made], { stdio: ['ignore', 'ignore', 'inherit'] });
    }
    return join(folder, name);
  },
};
