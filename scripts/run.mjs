// Runs a TypeScript program of this repository: node scripts/run.mjs FILE.ts [ARGUMENT…]
import { build } from 'esbuild';
import { mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [file, ...argv] = process.argv.slice(2);
if (!file) {
  process.stderr.write('Usage: node scripts/run.mjs FILE.ts [ARGUMENT…]\n');
  process.exit(2);
}
// Inside the repository, so that the bundle's bare imports resolve.
const folder = join(root, 'node_modules', '.cache', 'skipper');
mkdirSync(folder, { recursive: true });
const outfile = join(folder, `${basename(file, '.ts')}-${process.pid}.mjs`);
process.on('exit', () => rmSync(outfile, { force: true }));
await build({
  entryPoints: [resolve(file)],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
  plugins: [bundleOwnPackages()],
});
process.argv.splice(1, process.argv.length - 1, resolve(file), ...argv);
await import(pathToFileURL(outfile).href);

/** `packages: 'external'` would leave our own TypeScript packages to Node, which cannot read them. */
function bundleOwnPackages() {
  return {
    name: 'own-packages',
    setup({ onResolve }) {
      onResolve({ filter: /^@skipper\// }, ({ path }) => ({
        path: join(root, 'packages', path.slice('@skipper/'.length), 'src', 'index.ts'),
      }));
    },
  };
}
