import type { ApiObject, FieldError } from '../contracts.ts';
import { isObject } from '../patch/values.ts';
import { CelSyntaxError } from './cel/parse.ts';
import { forbidden, invalid, required } from './field-errors.ts';
import { compileJsonPath } from './json-path.ts';
import { programOf } from './rules.ts';
import { patternOf } from './structural.ts';
import type { SchemaNode } from './definitions.ts';

const depthLimit = 60;
const types = ['string', 'integer', 'number', 'boolean', 'array', 'object'];

/** What a CustomResourceDefinition's schema must be: structural, and every rule and pattern in it understood here. */
export function definitionErrors(object: ApiObject): FieldError[] {
  const versions: unknown = object['spec']?.versions;
  if (!Array.isArray(versions)) return [];
  return versions.flatMap((version, index) => {
    const field = `spec.versions[${index}]`;
    const schema: unknown = version?.schema?.openAPIV3Schema;
    const errors = isObject(schema) ? schemaErrors(schema as SchemaNode, `${field}.schema.openAPIV3Schema`, true, 0) : [];
    if (isObject(schema) && schema['type'] !== 'object')
      errors.push(invalid(`${field}.schema.openAPIV3Schema.type`, schema['type'] ?? '', 'must be object at the root'));
    const columns: unknown = version?.additionalPrinterColumns;
    for (const [at, column] of (Array.isArray(columns) ? columns : []).entries()) {
      if (typeof column?.jsonPath !== 'string' || !compileJsonPath(column.jsonPath))
        errors.push(invalid(`${field}.additionalPrinterColumns[${at}].jsonPath`, column?.jsonPath ?? '', 'unsupported JSONPath'));
    }
    return errors;
  });
}

/** @param structural whether types are stated here: not inside of `anyOf` and the like. */
function schemaErrors(schema: SchemaNode, field: string, structural: boolean, depth: number): FieldError[] {
  if (!isObject(schema)) return [invalid(field, schema, 'must be an object')];
  if (depth > depthLimit) return [forbidden(field, 'schemas may not be nested so deeply')];
  const errors: FieldError[] = [];
  const { type, properties, additionalProperties, items, pattern } = schema;
  const isLoose = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields'];
  if (schema.$ref !== undefined) errors.push(forbidden(`${field}.$ref`, '$ref is not supported'));
  if (schema.uniqueItems)
    errors.push(forbidden(`${field}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
  if (type !== undefined && !types.includes(type))
    errors.push({
      reason: 'FieldValueNotSupported',
      field: `${field}.type`,
      message: `Unsupported value: ${JSON.stringify(type)}: supported values: ${types.map((name) => JSON.stringify(name)).join(', ')}`,
    });
  if (structural && type === undefined && !isLoose)
    errors.push(required(`${field}.type`, `must not be empty for ${depth === 0 ? 'the root' : 'specified object fields'}`));
  if (structural && type === 'array' && !items) errors.push(required(`${field}.items`, 'must be specified'));
  if (schema['x-kubernetes-list-type'] === 'map' && !schema['x-kubernetes-list-map-keys']?.length)
    errors.push(required(`${field}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  if (properties && additionalProperties)
    errors.push(forbidden(`${field}.additionalProperties`, 'must not be used together with properties'));
  if (pattern !== undefined) {
    try {
      patternOf(pattern);
    } catch {
      errors.push(invalid(`${field}.pattern`, pattern, "must be a valid regular expression, but isn't"));
    }
  }
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    for (const part of ['rule', 'messageExpression'] as const) {
      const source = rule?.[part];
      if (part === 'rule' && !source) errors.push(required(`${field}.x-kubernetes-validations[${index}].rule`, 'rule is not specified'));
      if (typeof source !== 'string') continue;
      try {
        programOf(source);
      } catch (error) {
        if (!(error instanceof CelSyntaxError)) throw error;
        errors.push(invalid(`${field}.x-kubernetes-validations[${index}].${part}`, source, `compilation failed: ${error.message}`));
      }
    }
  }
  const below = (child: SchemaNode, path: string, isStructural = structural): number =>
    errors.push(...schemaErrors(child, `${field}.${path}`, isStructural, depth + 1));
  for (const [name, property] of Object.entries(properties ?? {})) below(property, `properties[${name}]`);
  if (isObject(additionalProperties)) below(additionalProperties as SchemaNode, 'additionalProperties');
  if (isObject(items)) below(items as SchemaNode, 'items');
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [index, part] of (schema[junctor] ?? []).entries()) below(part, `${junctor}[${index}]`, false);
  if (schema.not) below(schema.not, 'not', false);
  return errors;
}
