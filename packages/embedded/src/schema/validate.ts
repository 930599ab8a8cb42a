import type { ApiObject, FieldError, KindDefinition } from '../contracts.ts';
import { builtinRules, metadataErrors } from './builtin-rules.ts';
import { definitionErrors } from './definition-rules.ts';
import { schemaOf, typeNameOf } from './definitions.ts';
import { hasRules } from './rules.ts';
import { checkValue, type Place } from './structural.ts';

/** More causes help nobody, and a hostile object must not make an answer of megabytes. */
const errorLimit = 100;

const unchecked: FieldError = {
  reason: 'FieldValueInvalid',
  field: '<nil>',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
};

/** The schema's and the type's own rules: `old` is what it replaces. Built-in kinds without a known schema pass. */
export function validate(kind: KindDefinition, object: ApiObject, old?: ApiObject): FieldError[] {
  const { group, version, kind: name } = kind.type;
  const schema = schemaOf(kind);
  const place: Place = { path: '', custom: kind.custom !== undefined, depth: 0, rules: false };
  const errors = checkValue(object, old, schema, place);
  const isRuled = place.custom && hasRules(schema);
  if (errors.length > 0) {
    if (isRuled) errors.push(unchecked);
  } else {
    // Rules may rely on the types of what they read.
    if (isRuled) errors.push(...checkValue(object, old, schema, { ...place, rules: true }));
    errors.push(...metadataErrors(object));
    const type = kind.custom ? undefined : typeNameOf(group, version, name);
    if (type !== undefined) errors.push(...(builtinRules[type]?.(object, old) ?? []));
    if (kind.type.kind === 'CustomResourceDefinition') errors.push(...definitionErrors(object));
  }
  return distinct(errors).slice(0, errorLimit);
}

function distinct(errors: readonly FieldError[]): FieldError[] {
  return [...new Map(errors.map((error) => [`${error.field}\n${error.message}`, error])).values()];
}
