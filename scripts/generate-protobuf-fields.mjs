/**
 * Writes packages/embedded/src/schema/data/protobuf-fields.json: the numbers of the fields of built-in types in Kubernetes'
 * protobuf encoding, which `kubectl create` and typed Go clients send. Numbers never change their meaning, so any version will do;
 * fields that a later one added are refused by the decoder. Scalars that are no pointers in Go and left out when zero are marked:
 * for them zero means the same as nothing.
 *
 *   node scripts/generate-protobuf-fields.mjs KUBERNETES_SOURCE
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = process.argv[2];
if (!source) {
  process.stderr.write('Usage: node scripts/generate-protobuf-fields.mjs KUBERNETES_SOURCE\n');
  process.exit(2);
}
const folder = fileURLToPath(new URL('../packages/embedded/src/schema/data/', import.meta.url));
const definitions = JSON.parse(readFileSync(`${folder}definitions.json`, 'utf8'));
const protoFiles = [
  'apimachinery/pkg/apis/meta/v1',
  ...['apps', 'authorization', 'autoscaling', 'batch', 'coordination', 'core', 'networking', 'rbac', 'storage'].map(
    (group) => `api/${group}/v1`,
  ),
];

const scalars = { string: 's', bool: 'b', int32: 'i', int64: 'i', double: 'd', bytes: 'y' };

/** `k8s.io.api.core.v1.Pod` and, inside of that package, `Pod` are `io.k8s.api.core.v1.Pod`. */
const typeName = (name, pack) =>
  name.startsWith('k8s.io.') ? `io.k8s.${name.slice('k8s.io.'.length)}` : `io.k8s.${pack.slice('k8s.io.'.length)}.${name}`;
const codeOf = (type, pack) => scalars[type] ?? typeName(type.replace(/^\./, ''), pack);

const messages = {};
for (const file of protoFiles) {
  const text = readFileSync(join(source, 'staging/src/k8s.io', file, 'generated.proto'), 'utf8').replace(/\/\/.*$/gm, '');
  const types = readFileSync(join(source, 'staging/src/k8s.io', file, 'types.go'), 'utf8');
  const omitted = new Set();
  for (const [, struct, body] of types.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    for (const [, goType, field] of body.matchAll(/^\s+\w+\s+([*[\]\w.]+)\s+`json:"(\w+),omitempty"/gm))
      if (/^[\w.]+$/.test(goType)) omitted.add(`${struct}.${field}`);
  }
  const pack = /^package ([\w.]+);/m.exec(text)[1];
  for (const [, message, body] of text.matchAll(/^message (\w+) \{([^}]*)\}/gm)) {
    const fields = (messages[typeName(message, pack)] = {});
    for (const [, label, key, mapValue, type, name, number] of body.matchAll(
      /(?:(optional|repeated) )?(?:map<(\w+), ([\w.]+)>|([\w.]+)) (\w+) = (\d+);/g,
    )) {
      if (key !== undefined) fields[number] = [name, codeOf(mapValue, pack), 'map'];
      else if (label === 'repeated') fields[number] = [name, codeOf(type, pack), 'list'];
      else
        fields[number] =
          scalars[type] && omitted.has(`${message}.${name}`) ? [name, codeOf(type, pack), 'omit'] : [name, codeOf(type, pack)];
    }
  }
}
// Types that are newer than old sources.
const meta = (name) => `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`;
const authentication = (name) => `io.k8s.api.authentication.v1.${name}`;
const policy = (name) => `io.k8s.api.policy.v1.${name}`;
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
Object.assign(messages, {
  [authentication('SelfSubjectReview')]: { 1: ['metadata', meta('ObjectMeta')], 2: ['status', authentication('SelfSubjectReviewStatus')] },
  [authentication('SelfSubjectReviewStatus')]: { 1: ['userInfo', authentication('UserInfo')] },
  [authentication('UserInfo')]: { 1: ['username', 's'], 2: ['uid', 's'], 3: ['groups', 's', 'list'] },
  [policy('PodDisruptionBudget')]: {
    1: ['metadata', meta('ObjectMeta')],
    2: ['spec', policy('PodDisruptionBudgetSpec')],
    3: ['status', policy('PodDisruptionBudgetStatus')],
  },
  [policy('PodDisruptionBudgetSpec')]: {
    1: ['minAvailable', intOrString],
    2: ['selector', meta('LabelSelector')],
    3: ['maxUnavailable', intOrString],
    4: ['unhealthyPodEvictionPolicy', 's'],
  },
  [policy('PodDisruptionBudgetStatus')]: {
    1: ['observedGeneration', 'i'],
    2: ['disruptedPods', meta('Time'), 'map'],
    3: ['disruptionsAllowed', 'i'],
    4: ['currentHealthy', 'i'],
    5: ['desiredHealthy', 'i'],
    6: ['expectedPods', 'i'],
    7: ['conditions', meta('Condition'), 'list'],
  },
});

const kept = {};
function keep(name) {
  if (kept[name] || !messages[name]) return;
  const properties = definitions[name]?.properties;
  const fields = (kept[name] = {});
  for (const [number, [field, type, form]] of Object.entries(messages[name])) {
    const isKnown = !properties || Object.hasOwn(properties, field);
    // Embedded structs: their fields stand in the outer object.
    if (!isKnown && !messages[type]) continue;
    fields[number] = [field, type, isKnown ? form : 'inline'].filter((part) => part !== undefined);
    keep(type);
  }
}
for (const [name, schema] of Object.entries(definitions))
  if (schema['x-kubernetes-group-version-kind']?.length === 1 && !name.endsWith('List')) keep(name);
keep('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions');

const lines = Object.entries(kept)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, fields]) => `${JSON.stringify(name)}:${JSON.stringify(fields)}`);
writeFileSync(`${folder}protobuf-fields.json`, `{\n${lines.join(',\n')}\n}\n`);
process.stdout.write(`${lines.length} messages\n`);
