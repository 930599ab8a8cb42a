/**
 * Writes the built-in schemas of the embedded cluster, packages/embedded/src/schema/data, from the OpenAPI v3 documents of a
 * real Kubernetes: that of KUBECONFIG. To be run when the embedded cluster is to act as a newer Kubernetes; needs kubectl.
 *
 * - `definitions.json`: types, required fields, defaults, enums, list types and merge keys. Loaded with the server.
 * - `descriptions.ts`: the texts that `kubectl explain` shows, by far the most of it, compressed; read when first asked for.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** The API groups whose types the embedded cluster knows. */
const documents = [
  'api/v1',
  ...[
    'apiextensions.k8s.io/v1',
    'apps/v1',
    'authentication.k8s.io/v1',
    'authorization.k8s.io/v1',
    'autoscaling/v1',
    'autoscaling/v2',
    'batch/v1',
    'coordination.k8s.io/v1',
    'discovery.k8s.io/v1',
    'events.k8s.io/v1',
    'networking.k8s.io/v1',
    'policy/v1',
    'rbac.authorization.k8s.io/v1',
    'scheduling.k8s.io/v1',
    'storage.k8s.io/v1',
  ].map((group) => `apis/${group}`),
];
const folder = fileURLToPath(new URL('../packages/embedded/src/schema/data/', import.meta.url));

const get = (path) => JSON.parse(execFileSync('kubectl', ['get', '--raw', path], { encoding: 'utf8', maxBuffer: 1 << 28 }));

const refPrefix = '#/components/schemas/';

/** `{allOf: [{$ref}]}` is how OpenAPI 3.0 gives a reference siblings; kept here as a plain `$ref` to the bare name. */
function compact(node) {
  if (Array.isArray(node)) return node.map(compact);
  if (node === null || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'description' && typeof value === 'string') continue;
    if (key === 'allOf' && value.length === 1 && value[0].$ref) out.$ref = value[0].$ref.slice(refPrefix.length);
    else if (key === '$ref' && typeof value === 'string') out.$ref = value.slice(refPrefix.length);
    else out[key] = compact(value);
  }
  return out;
}

const definitions = {};
const descriptions = {};
/** Kinds that stand in many groups (DeleteOptions, WatchEvent) name only some of them in each document. */
const groupVersionKinds = {};

for (const document of documents) {
  for (const [name, schema] of Object.entries(get(`/openapi/v3/${document}`).components.schemas)) {
    definitions[name] = compact(schema);
    const texts = {};
    if (schema.description) texts[''] = schema.description;
    for (const [property, value] of Object.entries(schema.properties ?? {})) if (value.description) texts[property] = value.description;
    descriptions[name] = texts;
    for (const kind of schema['x-kubernetes-group-version-kind'] ?? []) (groupVersionKinds[name] ??= {})[JSON.stringify(kind)] = kind;
  }
}
for (const [name, kinds] of Object.entries(groupVersionKinds)) definitions[name]['x-kubernetes-group-version-kind'] = Object.values(kinds);

const sorted = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
mkdirSync(folder, { recursive: true });
const version = get('/version').gitVersion;
const lines = Object.entries(sorted(definitions)).map(([name, schema]) => `${JSON.stringify(name)}:${JSON.stringify(schema)}`);
writeFileSync(`${folder}definitions.json`, `{\n${lines.join(',\n')}\n}\n`);
const packed = gzipSync(JSON.stringify(sorted(descriptions)), { level: 9 }).toString('base64');
writeFileSync(
  `${folder}descriptions.ts`,
  `// Written by scripts/generate-schemas.mjs from Kubernetes ${version} (Apache-2.0). Gzip of JSON, in base64: a string costs nothing until it is read.\nexport const packedDescriptions = '${packed}';\n`,
);
process.stdout.write(`${lines.length} types of Kubernetes ${version}\n`);
