import { createHash } from 'node:crypto';
import type { KindDefinition, ResourceRegistry } from '../contracts.ts';
import { definitions, listMetaType, objectMetaType, schemaOf, typeNameOf, type SchemaNode } from './definitions.ts';
import { describeField, describeType } from './descriptions.ts';
import { openApiPaths } from './openapi-paths.ts';

/** The Kubernetes whose types these are. */
export const schemaVersion = 'v1.37.2';
const refPrefix = '#/components/schemas/';

const apiVersionText =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources';
const kindText =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';
const metadataText =
  "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/** `skipper.dev` becomes `dev.skipper.v1alpha1.StatefulService`. */
function customTypeName({ group, version, kind }: KindDefinition['type']): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

/** The type of a kind's objects in the documents; `undefined` for a built-in kind whose type is not known. */
export function typeOf(kind: KindDefinition): string | undefined {
  return kind.custom ? customTypeName(kind.type) : typeNameOf(kind.type.group, kind.type.version, kind.type.kind);
}

export function groupPath({ group, version }: KindDefinition['type']): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

/** The types of the kinds and every type they refer to, by name, with descriptions. References are bare names. */
export function typesOf(kinds: readonly KindDefinition[]): Record<string, SchemaNode> {
  const found = new Map<string, SchemaNode>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (key === '$ref' && typeof inner === 'string') include(inner);
        else visit(inner);
      }
    }
  };
  const add = (name: string, schema: SchemaNode): void => {
    found.set(name, schema);
    visit(schema);
  };
  const include = (name: string): void => {
    const schema = definitions[name];
    if (schema && !found.has(name)) add(name, described(name, schema));
  };
  for (const kind of kinds) {
    if (kind.custom) {
      const name = customTypeName(kind.type);
      add(name, customType(kind));
      add(`${name}List`, customList(kind, name));
    } else {
      include(typeOf(kind) ?? '');
      include(typeNameOf(kind.type.group, kind.type.version, kind.listKind) ?? '');
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function described(name: string, schema: SchemaNode): SchemaNode {
  const description = describeType(name);
  const properties =
    schema.properties &&
    Object.fromEntries(
      Object.entries(schema.properties).map(([field, property]) => {
        const text = describeField(name, field);
        return [field, text === undefined ? property : { description: text, ...property }];
      }),
    );
  return { ...(description === undefined ? {} : { description }), ...schema, ...(properties ? { properties } : {}) };
}

const versionFields: Readonly<Record<string, SchemaNode>> = {
  apiVersion: { description: apiVersionText, type: 'string' },
  kind: { description: kindText, type: 'string' },
};

function customType(kind: KindDefinition): SchemaNode {
  const schema = schemaOf(kind)!;
  const { group, version, kind: name } = kind.type;
  return {
    ...schema,
    properties: {
      ...versionFields,
      metadata: { description: metadataText, $ref: objectMetaType },
      ...without(schema.properties, ['apiVersion', 'kind', 'metadata']),
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind: name }],
  };
}

function without(record: Record<string, SchemaNode> | undefined, names: readonly string[]): Record<string, SchemaNode> {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([name]) => !names.includes(name)));
}

function customList({ type: { group, version, kind }, listKind }: KindDefinition, item: string): SchemaNode {
  return {
    description: `${listKind} is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...versionFields,
      items: { description: 'List of objects.', type: 'array', items: { $ref: item } },
      metadata: { description: 'Standard list metadata.', $ref: listMetaType },
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind: listKind }],
  };
}

/** A reference beside which anything stands is written as `allOf`, for OpenAPI 3.0 has no siblings of `$ref`. */
function toVersion3(node: any): any {
  if (Array.isArray(node)) return node.map(toVersion3);
  if (typeof node !== 'object' || node === null) return node;
  const { $ref, ...rest } = node;
  const out = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, toVersion3(value)]));
  if (typeof $ref !== 'string') return $ref === undefined ? out : { ...out, $ref: toVersion3($ref) };
  const reference = { $ref: refPrefix + $ref };
  return Object.keys(out).length === 0 ? reference : { ...out, allOf: [reference] };
}

const info = { title: 'Kubernetes', version: schemaVersion };

/** The document of one group version, `undefined` when nothing is served there. */
export function openApiV3(registry: ResourceRegistry, path: string): object | undefined {
  const kinds = registry.all().filter(({ type }) => groupPath(type) === path);
  if (kinds.length === 0) return undefined;
  return { openapi: '3.0.0', info, paths: openApiPaths(kinds, 3), components: { schemas: toVersion3(typesOf(kinds)) } };
}

/** Hashes change when a document does, which clients cache by them. */
export function openApiV3Index(registry: ResourceRegistry): object {
  const groups = new Map<string, KindDefinition[]>();
  for (const kind of registry.all()) {
    const path = groupPath(kind.type);
    const same = groups.get(path);
    if (same) same.push(kind);
    else groups.set(path, [kind]);
  }
  const paths = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, kinds]) => {
      const content = JSON.stringify(kinds.map(({ type, custom, scale, status }) => [type.kind, status, scale, custom?.schema]));
      const hash = createHash('sha256').update(`${schemaVersion} ${content}`).digest('hex').toUpperCase();
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
  return { paths: Object.fromEntries(paths) };
}

const keptInVersion2 = new Set([
  'type',
  'format',
  'description',
  'required',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'uniqueItems',
]);

/** Swagger 2.0 knows neither alternatives nor nulls: what they concern is left open, as Kubernetes does. */
function toVersion2(node: SchemaNode): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (node.$ref !== undefined)
    return { ...(node.description === undefined ? {} : { description: node.description }), $ref: `#/definitions/${node.$ref}` };
  const isLoose =
    node.nullable === true || node['x-kubernetes-int-or-string'] === true || node['x-kubernetes-preserve-unknown-fields'] === true;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'default' || (isLoose && key === 'type')) continue;
    if (keptInVersion2.has(key) || key.startsWith('x-kubernetes-')) out[key] = value;
  }
  if (node.oneOf && node.type === undefined && node['x-kubernetes-int-or-string'] === undefined) out['type'] = 'string';
  if (node.properties && !node.nullable)
    out['properties'] = Object.fromEntries(Object.entries(node.properties).map(([name, property]) => [name, toVersion2(property)]));
  if (node.items && !node.nullable) out['items'] = toVersion2(node.items);
  if (typeof node.additionalProperties === 'object') out['additionalProperties'] = toVersion2(node.additionalProperties);
  return out;
}

export function openApiV2(registry: ResourceRegistry): object {
  const kinds = registry.all();
  const types = Object.fromEntries(Object.entries(typesOf(kinds)).map(([name, schema]) => [name, toVersion2(schema)]));
  return { swagger: '2.0', info, paths: openApiPaths(kinds, 2), definitions: types };
}
