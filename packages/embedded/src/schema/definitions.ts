import type { KindDefinition } from '../contracts.ts';
import rawDefinitions from './data/definitions.json' with { type: 'json' };

/** A JSON schema as OpenAPI v3 and Kubernetes' extensions have it: of a built-in type or of a CustomResourceDefinition. */
export interface SchemaNode {
  /** The bare name of a built-in type. */
  $ref?: string;
  type?: string;
  format?: string;
  description?: string;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  required?: string[];
  default?: unknown;
  enum?: unknown[];
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: SchemaNode[];
  anyOf?: SchemaNode[];
  oneOf?: SchemaNode[];
  not?: SchemaNode;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-validations'?: ValidationRule[];
}

export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

export const objectMetaType = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
export const listMetaType = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';
export const quantityType = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
export const intOrStringType = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** Every built-in type by its full name, for example `io.k8s.api.core.v1.Pod`. */
export const definitions = rawDefinitions as unknown as Readonly<Record<string, SchemaNode>>;

const kindNames = new Map<string, string>();
for (const [name, schema] of Object.entries(definitions)) {
  for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? [])
    kindNames.set(`${group}/${version}/${kind}`, name);
}

/** The name of the type of a built-in kind, `undefined` when it is not known. */
export function typeNameOf(group: string, version: string, kind: string): string | undefined {
  return kindNames.get(`${group}/${version}/${kind}`);
}

const resolved = new WeakMap<SchemaNode, SchemaNode>();

/** The schema with its reference followed; what stands beside the reference, such as a default, wins. */
export function resolve(node: SchemaNode): SchemaNode;
export function resolve(node: SchemaNode | undefined): SchemaNode | undefined;
export function resolve(node: SchemaNode | undefined): SchemaNode | undefined {
  if (node?.$ref === undefined) return node;
  let result = resolved.get(node);
  if (!result) {
    const { $ref, ...siblings } = node;
    result = { ...definitions[$ref!], ...siblings };
    resolved.set(node, result);
  }
  return result;
}

const customSchemas = new WeakMap<object, SchemaNode>();

/** The schema of a kind's objects, `undefined` for a built-in kind whose type is not known. */
export function schemaOf(kind: KindDefinition): SchemaNode | undefined {
  if (!kind.custom) {
    const name = typeNameOf(kind.type.group, kind.type.version, kind.type.kind);
    return name === undefined ? undefined : definitions[name];
  }
  let schema = customSchemas.get(kind.custom);
  if (!schema) {
    const declared = (kind.custom.schema ?? { 'x-kubernetes-preserve-unknown-fields': true }) as SchemaNode;
    schema = {
      ...declared,
      type: 'object',
      properties: { ...declared.properties, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { $ref: objectMetaType } },
    };
    customSchemas.set(kind.custom, schema);
  }
  return schema;
}

/** The schema of one field, `undefined` when the schema does not name it. Safe for any `name`. */
export function fieldSchema(node: SchemaNode | undefined, name: string): SchemaNode | undefined {
  const properties = node?.properties;
  if (properties && Object.hasOwn(properties, name)) return resolve(properties[name]!);
  return typeof node?.additionalProperties === 'object' ? resolve(node.additionalProperties) : undefined;
}

/** Whether `name` is a field of the type rather than a key of a map. */
export function isNamedField(node: SchemaNode | undefined, name: string): boolean {
  return node?.properties !== undefined && Object.hasOwn(node.properties, name);
}
