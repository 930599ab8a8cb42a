import type { ApiObject, KindDefinition } from '../contracts.ts';
import { isObject, own, put, type JsonObject, clone } from '../patch/values.ts';
import { builtinDefaults } from './builtin-defaults.ts';
import { definitions, quantityType, resolve, schemaOf, typeNameOf, type SchemaNode } from './definitions.ts';
import { fieldsWithoutZero, isZero } from './go-types.ts';
import { canonicalQuantity } from './quantities.ts';

/** Fills in the defaults that Kubernetes stores, in place. */
export function applyDefaults(kind: KindDefinition, object: ApiObject): void {
  const { group, version, kind: name } = kind.type;
  if (kind.custom) defaultCustom(object, schemaOf(kind));
  else {
    const type = typeNameOf(group, version, name);
    if (type !== undefined) defaultBuiltin(object, { $ref: type });
  }
}

/** From the outside in, for an inner default may depend on a field that an outer one makes. @returns what to store instead. */
function defaultBuiltin(value: unknown, node: SchemaNode | undefined): unknown {
  if (!node) return value;
  if (node.$ref === quantityType) return canonicalQuantity(value);
  const schema = resolve(node);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) value[index] = defaultBuiltin(item, schema.items);
    return value;
  }
  if (!isObject(value)) return value;
  if (node.$ref !== undefined) dropZeros(value, node.$ref, schema);
  const defaults = node.$ref === undefined ? undefined : builtinDefaults[node.$ref];
  if (typeof defaults === 'function') defaults(value);
  else if (defaults)
    for (const [name, preset] of Object.entries(defaults))
      if (value[name] === undefined || value[name] === null) value[name] = clone(preset);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (own(value, name) !== undefined) value[name] = defaultBuiltin(value[name], property);
    else if (isStruct(property)) makeStruct(value, name, property);
  }
  if (typeof schema.additionalProperties === 'object')
    for (const key of Object.keys(value)) put(value, key, defaultBuiltin(value[key], schema.additionalProperties));
  return value;
}

/** What means nothing in Go is not stored: nulls, zeros of values, and empty lists and maps that may be left out. */
function dropZeros(value: JsonObject, type: string, schema: SchemaNode): void {
  const zeros = fieldsWithoutZero(type);
  for (const name of Object.keys(value)) {
    const given = value[name];
    const property = own(schema.properties, name) as SchemaNode | undefined;
    const isCollection = property?.type === 'array' || (property?.type === 'object' && property.$ref === undefined);
    const isEmpty =
      isCollection && typeof given === 'object' && given !== null && Object.keys(given).length === 0 && !schema.required?.includes(name);
    if (given === null || isEmpty || (zeros.has(name) && isZero(given))) delete value[name];
  }
}

/** Go's structs that are no pointers: always there, and stored as `{}` or left out. Only those that get defaults matter. */
function isStruct(property: SchemaNode): boolean {
  return (
    property.$ref !== undefined &&
    typeof property.default === 'object' &&
    definitions[property.$ref] !== undefined &&
    Object.hasOwn(structsWithDefaults, property.$ref)
  );
}

const structsWithDefaults: Readonly<Record<string, true>> = {
  'io.k8s.api.core.v1.ServiceSpec': true,
  'io.k8s.api.networking.v1.NetworkPolicySpec': true,
};

function makeStruct(parent: JsonObject, name: string, property: SchemaNode): void {
  parent[name] = defaultBuiltin({}, property);
}

/** Defaults of a structural schema. A null where none is allowed and a default stands gives way to the default. */
function defaultCustom(value: unknown, schema: SchemaNode | undefined): void {
  if (!schema) return;
  if (Array.isArray(value)) {
    for (const item of value) defaultCustom(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined) {
      const given = own(value, name);
      if (given === undefined || (given === null && !property.nullable)) put(value, name, clone(property.default));
    }
    defaultCustom(own(value, name), property.$ref ? undefined : property);
  }
  if (typeof schema.additionalProperties === 'object') {
    for (const key of Object.keys(value))
      if (!Object.hasOwn(schema.properties ?? {}, key)) defaultCustom(value[key], schema.additionalProperties);
  }
}
