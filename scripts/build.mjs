// Builds kip into dist, in files that are read when they are needed, `kip-<digest>.js`: the program, which knows the commands and their
// options; what the commands do; what few of them use. Beside the first two stands what V8 makes of them. `kip.cjs` starts it all, and
// `programs` are what it starts itself.
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPrograms } from './build-programs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const source = join(root, 'packages', 'cli', 'src');
const startedAt = new Date();
mkdirSync(dist, { recursive: true });
writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');

const common = {
  write: false,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { 'import.meta.url': 'undefined' },
  legalComments: 'none',
  minify: true,
  logLevel: 'warning',
};

/** Packages that the commands and the files beside them both use. */
const inCommon = ['@skipper/api', '@skipper/kube'];
// A native module, and what `ws` would use if it were there.
const outside = ['classic-level', 'bufferutil', 'utf-8-validate'];
/** Of each module that has a file of its own beside the commands, which their start need not read: that file. */
const beside = {
  // Loaded when the first connection to an engine of their kind is opened.
  ...(await bundleBeside(
    ['amqplib', 'ioredis', 'mongodb', 'mysql2', 'mysql2/promise', 'pg'],
    // What drivers use if it is there.
    [
      'pg-native',
      'kerberos',
      'snappy',
      'socks',
      '@mongodb-js/zstd',
      'mongodb-client-encryption',
      '@aws-sdk/credential-providers',
      'gcp-metadata',
      'aws4',
    ],
  )),
  // Loaded by the process behind `kip up`.
  ...(await bundleBeside(['@skipper/embedded'], outside)),
};
/** What the program loads when it knows which command is meant, by the path that it imports. */
const commandModules = ['explain.ts', ...readdirSync(join(source, 'commands'), { recursive: true }).map((path) => join('commands', path))]
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .sort();
const commands = await placeScript(
  { stdin: { contents: `module.exports = { ${gettersOf(commandModules, './')} };`, resolveDir: source }, external: outside },
  requireBeside(),
);
const program = await placeScript({ entryPoints: [join(source, 'main.ts')] }, requireCommands());
await buildPrograms(join(dist, 'programs'));
place(
  'kip.cjs',
  readFileSync(join(root, 'scripts', 'starter.cjs'), 'utf8')
    .replaceAll('PROGRAM', program)
    .replaceAll('COMMANDS', commands),
);
await writeCodeCache();
removeOld();

function nameOf(contents) {
  return `kip-${createHash('sha256').update(contents).digest('hex').slice(0, 16)}`;
}

/**
 * Bundles what the starter compiles as a script, with a cache, in which there is only `require`.
 * @returns the name of its file, without the ending.
 */
async function placeScript(options, plugin) {
  const { outputFiles } = await build({ ...common, ...options, supported: { 'dynamic-import': false }, plugins: [plugin] });
  // In ASCII, which is read without being decoded: esbuild leaves other characters only in regular expressions.
  const ascii = outputFiles[0].text.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  // As a module's function, so that the starter need not copy it to make it one.
  const script = `(function(exports,require,module,__filename,__dirname){${ascii}\n})`;
  const name = nameOf(script);
  place(`${name}.js`, script);
  return name;
}

/** Properties of an object that run a module when it is first asked for. */
function gettersOf(modules, prefix = '') {
  return modules.map((module) => `get ${JSON.stringify(module)}() { return require(${JSON.stringify(prefix + module)}); }`).join(', ');
}

/** @returns by module the name of one file with all of them, each run when it is first asked for. */
async function bundleBeside(modules, external) {
  const contents = `module.exports = (given) => (Object.assign(require('given'), given), { ${gettersOf(modules)} });`;
  const { outputFiles: files } = await build({
    ...common,
    stdin: { contents, resolveDir: join(root, 'packages', 'engines') },
    external,
    plugins: [requireGiven()],
  });
  const file = `${nameOf(files[0].text)}.js`;
  place(file, files[0].text);
  return Object.fromEntries(modules.map((module) => [module, file]));
}

/** In a file beside the commands: what it has in common with them, it is given, so that an error's class is one class. */
function requireGiven() {
  return moduleContents(
    'given',
    ({ path }) => (['given', ...inCommon].includes(path) ? path : undefined),
    (path) => (path === 'given' ? '' : `module.exports = require('given')[${JSON.stringify(path)}];`),
  );
}

/** In the commands: what is in a file beside them. */
function requireBeside() {
  const given = inCommon.map((module) => `${JSON.stringify(module)}: require(${JSON.stringify(module)})`).join(', ');
  return moduleContents(
    'beside',
    ({ path }) => (path in beside ? path : undefined),
    (path) => `module.exports = require(${JSON.stringify(`./${beside[path]}`)})({ ${given} })[${JSON.stringify(path)}];`,
  );
}

/** In the program: what commands do. */
function requireCommands() {
  return moduleContents(
    'commands',
    ({ kind, path, resolveDir }) => (kind === 'dynamic-import' ? relative(source, join(resolveDir, path)) : undefined),
    (path) => `module.exports = require('./${commands}.js')[${JSON.stringify(path)}];`,
  );
}

/**
 * A plugin that gives modules other contents, which may require files that are placed already.
 * @param nameOfModule of an import, what `contentsOf` is given; undefined of those that stay what they are.
 */
function moduleContents(namespace, nameOfModule, contentsOf) {
  return {
    name: namespace,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, (imported) => {
        if (imported.path.startsWith('./kip-')) return { path: imported.path, external: true };
        const path = nameOfModule(imported);
        return path === undefined ? undefined : { path, namespace };
      });
      onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: contentsOf(path), resolveDir: join(root, 'packages', 'cli') }));
    },
  };
}

/** Written aside and renamed: somebody may be running or building it. */
function place(file, contents) {
  const temporary = join(dist, `.${file}-${process.pid}`);
  writeFileSync(temporary, contents);
  chmodSync(temporary, 0o755);
  // What changes while this runs is newer than what was built from it.
  utimesSync(temporary, startedAt, startedAt);
  renameSync(temporary, join(dist, file));
}

/** Lets kip list the services of a cluster that has none, so that V8 compiles what commands have in common. */
async function writeCodeCache() {
  const server = createServer((_request, response) => response.setHeader('content-type', 'application/json').end('{"items":[]}')).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const kubeconfig = join(dist, `.kubeconfig-${process.pid}`);
  const cluster = { server: `http://127.0.0.1:${server.address().port}` };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'none', cluster }],
      contexts: [{ name: 'none', context: { cluster: 'none' } }],
      'current-context': 'none',
    }),
  );
  const child = spawn(process.execPath, [join(dist, 'kip.cjs'), 'service', 'list', '--kubeconfig', kubeconfig], {
    env: { ...process.env, KIP_WRITE_CODE_CACHE: '1' },
    stdio: 'ignore',
  });
  await once(child, 'exit');
  server.close();
  server.closeAllConnections();
  rmSync(kubeconfig);
}

/** Others than the newest, unless somebody may be about to start one. */
function removeOld() {
  const newest = [program, commands, ...Object.values(beside)];
  for (const file of readdirSync(dist)) {
    if (!file.startsWith('kip-') || newest.some((name) => file.startsWith(name))) continue;
    if (Date.now() - (statSync(join(dist, file), { throwIfNoEntry: false })?.mtimeMs ?? 0) > 60_000)
      rmSync(join(dist, file), { force: true });
  }
}
