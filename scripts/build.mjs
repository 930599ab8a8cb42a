// Builds dist/kip.cjs: the whole of kip in one file whose parts are loaded when a command needs them.
import { build } from 'esbuild';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
mkdirSync(dist, { recursive: true });
// Written aside and renamed: somebody may be running the old one.
const temporary = join(dist, `.kip-${process.pid}.cjs`);
await build({
  entryPoints: [join(root, 'packages', 'cli', 'src', 'main.ts')],
  outfile: temporary,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // A native module; the only dependency that is not in the bundle.
  external: ['classic-level', 'pg-native', 'bufferutil', 'utf-8-validate'],
  define: { 'import.meta.url': 'undefined' },
  legalComments: 'none',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
});
chmodSync(temporary, 0o755);
renameSync(temporary, join(dist, 'kip.cjs'));
if (!existsSync(join(dist, 'package.json'))) writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
