// Everything that is checked without running the product. Runs all of it, then fails if any failed.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function command(name, ...argv) {
  return { name, run: () => spawnSync('npx', ['--no-install', ...argv], { cwd: root, stdio: 'inherit' }).status === 0 };
}

/** Which of our packages each may import: the arrows of the design. */
const allowed = {
  api: [],
  kube: ['api'],
  engines: ['api', 'object-store'],
  operator: ['api', 'kube', 'engines'],
  embedded: ['api', 'kube'],
  'object-store': ['api'],
  cli: ['api', 'kube', 'engines', 'operator', 'embedded'],
};

function boundariesHold() {
  const complaints = [];
  for (const [name, mayImport] of Object.entries(allowed)) {
    const folder = join(root, 'packages', name);
    const declared = Object.keys(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies ?? {});
    const permitted = new Set(mayImport.map((other) => `@skipper/${other}`));
    for (const dependency of declared) {
      if (dependency.startsWith('@skipper/') && !permitted.has(dependency))
        complaints.push(`packages/${name} may not depend on ${dependency}`);
    }
    for (const file of readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))) {
      const source = readFileSync(join(folder, 'src', file), 'utf8');
      const depth = file.split('/').length - 1;
      for (const [, specifier] of source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
        const outside = specifier.startsWith('.') && specifier.split('/').filter((part) => part === '..').length > depth;
        const foreign = specifier.startsWith('@skipper/') && !permitted.has(specifier);
        if (outside || foreign) complaints.push(`packages/${name}/src/${file} imports ${specifier}`);
      }
    }
  }
  for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
  return complaints.length === 0;
}

const checks = [
  command('format', 'oxfmt', '--check', '.'),
  command('unused code', 'knip'),
  command('types', 'tsc', '-p', '.'),
  command('lint and import cycles', 'oxlint', '--import-plugin', '-D', 'import/no-cycle', '-D', 'correctness', '--deny-warnings'),
  { name: 'package boundaries', run: boundariesHold },
  {
    name: 'CRD drift',
    run: () =>
      spawnSync(process.execPath, ['scripts/run.mjs', 'scripts/generate-crds.ts', '--check'], { cwd: root, stdio: 'inherit' }).status === 0,
  },
];

const failed = checks.filter(({ name, run }) => {
  process.stdout.write(`${name}…\n`);
  return !run();
});
for (const { name } of failed) process.stdout.write(`failed: ${name}\n`);
process.stdout.write(`${checks.length - failed.length} of ${checks.length} checks passed\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
