import { parseQuantity } from '@skipper/api';
import type { FieldError } from '../contracts.ts';
import { equal, isObject, own, type JsonObject } from '../patch/values.ts';
import { intOrStringType, objectMetaType, quantityType, resolve, type SchemaNode } from './definitions.ts';
import { invalid, notSupported, required, tooLong, tooMany, typeInvalid, duplicate } from './field-errors.ts';
import { matchesFormat } from './formats.ts';
import { checkRules } from './rules.ts';

/** How deep a value may nest: recursive schemas must not exhaust the stack. */
const depthLimit = 100;

export interface Place {
  path: string;
  /** Of a CustomResourceDefinition; the rest is built in, where nulls and empty strings mean nothing. */
  custom: boolean;
  depth: number;
  /** Whether validation rules are asked too. */
  rules: boolean;
}

export function child(path: string, key: string, isNamed: boolean): string {
  if (!isNamed) return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** Every way in which `value` is not what the schema says. `old` is what it replaces. */
export function checkValue(value: unknown, old: unknown, node: SchemaNode | undefined, place: Place): FieldError[] {
  const schema = resolve(node);
  if (!schema || place.depth > depthLimit) return [];
  const custom = place.custom && node?.$ref === undefined;
  const here: Place = { ...place, custom, depth: place.depth + 1 };
  if (value === null) return custom && !schema.nullable && schema.type ? [typeError(place.path, 'null', schema.type, custom)] : [];
  const wrongType = typeErrors(value, node!, schema, here);
  if (wrongType.length > 0) return wrongType;
  const errors = [...checkEnum(value, schema, here), ...checkScalar(value, schema, here)];
  if (Array.isArray(value)) errors.push(...checkList(value, old, schema, here));
  else if (isObject(value)) errors.push(...checkMap(value, old, schema, here));
  if (custom) {
    errors.push(...checkCombinations(value, schema, here));
    if (place.rules) errors.push(...checkRules(value, old, schema, place.path));
  }
  return errors;
}

function typeError(path: string, value: unknown, type: string, custom: boolean): FieldError {
  const at = path === '' ? '' : `${path} in body `;
  const shown = typeof value === 'object' ? (Array.isArray(value) ? 'array' : 'object') : value;
  return custom
    ? typeInvalid(path, shown, `${at}must be of type ${type}: ${JSON.stringify(typeName(value))}`)
    : typeInvalid(path, shown, `must be of type ${type}`);
}

function typeName(value: unknown): string {
  if (value === null || value === 'null') return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value;
}

function typeErrors(value: unknown, node: SchemaNode, schema: SchemaNode, { path, custom }: Place): FieldError[] {
  const isNumber = typeof value === 'number';
  if (node.$ref === quantityType) {
    if (isNumber || (typeof value === 'string' && parseQuantity(value) !== undefined)) return [];
    return [typeInvalid(path, value, `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`)];
  }
  if (!custom && schema.format === 'byte' && typeof value === 'string' && !matchesFormat('byte', value))
    return [typeInvalid(path, '', 'illegal base64 data')];
  if (!custom && schema.format === 'date-time' && typeof value === 'string' && !matchesFormat('date-time', value))
    return [typeInvalid(path, value, 'parsing time: it is not RFC 3339')];
  if (node.$ref === intOrStringType || schema['x-kubernetes-int-or-string']) {
    return typeof value === 'string' || Number.isInteger(value) ? [] : [typeError(path, value, 'integer,string', custom)];
  }
  const fits: Readonly<Record<string, boolean>> = {
    string: typeof value === 'string',
    boolean: typeof value === 'boolean',
    number: isNumber,
    integer: Number.isInteger(value),
    array: Array.isArray(value),
    object: isObject(value),
  };
  if (!schema.type || fits[schema.type] !== false) return [];
  return [typeError(path, value, schema.type, custom)];
}

function checkEnum(value: unknown, schema: SchemaNode, { path, custom }: Place): FieldError[] {
  if (!schema.enum || schema.enum.some((allowed) => equal(allowed, value))) return [];
  if (!custom && value === '') return [];
  return [notSupported(path, value, schema.enum)];
}

function checkScalar(value: unknown, schema: SchemaNode, { path, custom }: Place): FieldError[] {
  const errors: FieldError[] = [];
  const wrong = (detail: string): number => errors.push(invalid(path, value, `${path} in body ${detail}`));
  if (typeof value === 'string') {
    const length = [...value].length;
    if (schema.maxLength !== undefined && length > schema.maxLength) errors.push(tooLong(path, schema.maxLength));
    if (schema.minLength !== undefined && length < schema.minLength) wrong(`should be at least ${schema.minLength} chars long`);
    if (schema.pattern !== undefined && !patternOf(schema.pattern).test(value)) wrong(`should match '${schema.pattern}'`);
    if (custom && schema.format && !matchesFormat(schema.format, value))
      wrong(`must be of type ${schema.format}: ${JSON.stringify(value)}`);
  } else if (typeof value === 'number') {
    const { minimum, maximum, multipleOf } = schema;
    if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum))
      wrong(`should be greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
    if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum))
      wrong(`should be less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
    if (multipleOf && !Number.isInteger(Number((value / multipleOf).toPrecision(12)))) wrong(`should be a multiple of ${multipleOf}`);
    const bits = schema.format === 'int32' ? 31 : schema.format === 'int64' ? 63 : undefined;
    if (bits !== undefined && (value > 2 ** bits - 1 || value < -(2 ** bits))) wrong(`should fit ${schema.format}`);
  }
  return errors;
}

const patterns = new Map<string, RegExp>();

/** @throws SyntaxError; schemas are checked when their definition is made. */
export function patternOf(pattern: string): RegExp {
  let compiled = patterns.get(pattern);
  if (!compiled) patterns.set(pattern, (compiled = new RegExp(pattern, 'u')));
  return compiled;
}

function checkList(value: unknown[], old: unknown, schema: SchemaNode, place: Place): FieldError[] {
  const { path } = place;
  const errors: FieldError[] = [];
  if (schema.maxItems !== undefined && value.length > schema.maxItems) errors.push(tooMany(path, value.length, schema.maxItems));
  if (schema.minItems !== undefined && value.length < schema.minItems)
    errors.push(invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`));
  const keys = schema['x-kubernetes-list-map-keys'];
  const itemSchema = resolve(schema.items);
  const identity = (item: unknown): string =>
    JSON.stringify(keys && isObject(item) ? keys.map((key) => own(item, key) ?? own(itemSchema?.properties, key)?.default ?? null) : item);
  const isUnique = place.custom && (schema['x-kubernetes-list-type'] === 'set' || schema['x-kubernetes-list-type'] === 'map');
  const before = new Map(keys && Array.isArray(old) ? old.map((item) => [identity(item), item]) : []);
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const id = isUnique || before.size > 0 ? identity(item) : '';
    if (isUnique && seen.has(id))
      errors.push(
        duplicate(`${path}[${index}]`, keys && isObject(item) ? Object.fromEntries(keys.map((key) => [key, own(item, key)])) : item),
      );
    seen.add(id);
    errors.push(...checkValue(item, before.get(id), schema.items, { ...place, path: `${path}[${index}]` }));
  }
  return errors;
}

function checkMap(value: JsonObject, old: unknown, schema: SchemaNode, place: Place): FieldError[] {
  const { path } = place;
  const errors: FieldError[] = [];
  const before = isObject(old) ? old : undefined;
  for (const name of schema.required ?? []) {
    const given = own(value, name);
    if (given === undefined || (!place.custom && (given === null || (name !== 'message' && isBlank(given, own(schema.properties, name))))))
      errors.push(required(child(path, name, true)));
  }
  const size = Object.keys(value).length;
  if (schema.maxProperties !== undefined && size > schema.maxProperties) errors.push(tooMany(path, size, schema.maxProperties));
  if (schema.minProperties !== undefined && size < schema.minProperties)
    errors.push(invalid(path, size, `${path} in body should have at least ${schema.minProperties} properties`));
  for (const key of Object.keys(value)) {
    const isNamed = schema.properties !== undefined && Object.hasOwn(schema.properties, key);
    const property = isNamed
      ? schema.properties![key]
      : typeof schema.additionalProperties === 'object'
        ? schema.additionalProperties
        : undefined;
    if (property)
      errors.push(...checkValue(value[key], own(before, key), property, { ...place, path: child(path, key, isNamed || place.custom) }));
  }
  if (schema['x-kubernetes-embedded-resource']) errors.push(...checkEmbedded(value, place));
  return errors;
}

/** In Go an empty string is a missing one, where the zero value stands for nothing. A condition's message may be empty. */
function isBlank(value: unknown, schema: SchemaNode | undefined): boolean {
  return value === '' && resolve(schema)?.default === '';
}

function checkEmbedded(value: JsonObject, place: Place): FieldError[] {
  const errors = ['apiVersion', 'kind']
    .filter((name) => !own(value, name))
    .map((name) => required(child(place.path, name, true), 'must not be empty'));
  return [
    ...errors,
    ...checkValue(
      own(value, 'metadata') ?? {},
      undefined,
      { $ref: objectMetaType },
      { ...place, path: child(place.path, 'metadata', true) },
    ),
  ];
}

function checkCombinations(value: unknown, schema: SchemaNode, place: Place): FieldError[] {
  const fits = (part: SchemaNode): boolean => checkValue(value, undefined, part, place).length === 0;
  const errors = (schema.allOf ?? []).flatMap((part) => checkValue(value, undefined, part, place));
  const { path } = place;
  const shown = typeof value === 'object' ? '' : value;
  if (schema.anyOf && !schema.anyOf.some(fits))
    errors.push(invalid(path, shown, `${path} in body must validate at least one schema (anyOf)`));
  if (schema.oneOf) {
    const found = schema.oneOf.filter(fits).length;
    if (found !== 1)
      errors.push(
        invalid(
          path,
          shown,
          `${path} in body must validate one and only one schema (oneOf). Found ${found === 0 ? 'none valid' : `${found} valid alternatives`}`,
        ),
      );
  }
  if (schema.not && fits(schema.not)) errors.push(invalid(path, shown, `${path} in body must not validate the schema (not)`));
  return errors;
}
