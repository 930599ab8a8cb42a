// Builds the programs that kip starts as processes of their own, each into a folder of its name that can be copied anywhere:
// node scripts/build-programs.mjs FOLDER
import { build } from 'esbuild';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const programs = ['object-store'];

export async function buildPrograms(folder) {
  mkdirSync(folder, { recursive: true });
  for (const program of programs) {
    // Aside, then renamed: somebody may be copying it.
    const unfinished = mkdtempSync(join(folder, `.${program}-`));
    await build({
      entryPoints: [join(root, 'packages', program, 'src', 'main.ts')],
      outfile: join(unfinished, 'main.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      legalComments: 'none',
      minify: true,
      logLevel: 'warning',
    });
    copyNativeModule('classic-level', unfinished);
    chmodSync(unfinished, 0o755);
    rmSync(join(folder, program), { recursive: true, force: true });
    try {
      renameSync(unfinished, join(folder, program));
    } catch (error) {
      // Another build of the same tree was a moment faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
}

/** What node-gyp-build looks for beside the file that asks for it. */
function copyNativeModule(name, folder) {
  const prebuilds = join(dirname(require.resolve(`${name}/package.json`)), 'prebuilds');
  for (const platform of readdirSync(prebuilds)) {
    const [system, architectures] = platform.split('-');
    if (system === process.platform && architectures.split('+').includes(process.arch))
      cpSync(join(prebuilds, platform), join(folder, 'prebuilds', platform), { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPrograms(process.argv[2]);
