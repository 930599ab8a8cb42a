import type { ApiObject, KindDefinition } from '../contracts.ts';
import { isObject } from '../patch/values.ts';
import { objectMetaType, resolve, schemaOf, type SchemaNode } from './definitions.ts';

/** Drops fields that the schema does not know, in place. @returns their paths, for example `spec.foo`. */
export function prune(kind: KindDefinition, object: ApiObject): string[] {
  const dropped: string[] = [];
  const schema = schemaOf(kind);
  if (schema) pruneAt(object, schema, '', kind.custom !== undefined, dropped);
  return dropped;
}

/** A built-in type without any fields holds anything: raw extensions and JSON. */
function isOpen(schema: SchemaNode, custom: boolean): boolean {
  return (
    schema['x-kubernetes-preserve-unknown-fields'] === true || (!custom && !schema.properties && schema.additionalProperties === undefined)
  );
}

const embeddedFields: Readonly<Record<string, SchemaNode>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { $ref: objectMetaType },
};

function pruneAt(value: unknown, node: SchemaNode | undefined, path: string, isCustom: boolean, dropped: string[]): void {
  const schema = resolve(node);
  const custom = isCustom && node?.$ref === undefined;
  if (!schema) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) pruneAt(item, schema.items, `${path}[${index}]`, custom, dropped);
    return;
  }
  if (!isObject(value) || schema.format === 'int-or-string' || schema.oneOf) return;
  const properties = schema['x-kubernetes-embedded-resource'] ? { ...embeddedFields, ...schema.properties } : schema.properties;
  for (const key of Object.keys(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (properties && Object.hasOwn(properties, key)) pruneAt(value[key], properties[key], at, custom, dropped);
    else if (typeof schema.additionalProperties === 'object') pruneAt(value[key], schema.additionalProperties, at, custom, dropped);
    else if (schema.additionalProperties !== true && !isOpen(schema, custom)) {
      delete value[key];
      dropped.push(at);
    }
  }
}
