import type { ApiObject, FieldError, KindDefinition } from '../contracts.ts';
import { builtinRules, metadataErrors } from './builtin-rules.ts';
import { definitionErrors } from './definition-rules.ts';
import { schemaOf, typeNameOf } from './definitions.ts';
import { checkValue } from './structural.ts';

/** More causes help nobody, and a hostile object must not make an answer of megabytes. */
const errorLimit = 100;

/** The schema's and the type's own rules: `old` is what it replaces. Built-in kinds without a known schema pass. */
export function validate(kind: KindDefinition, object: ApiObject, old?: ApiObject): FieldError[] {
  const { group, version, kind: name } = kind.type;
  const errors = checkValue(object, old, schemaOf(kind), { path: '', custom: kind.custom !== undefined, depth: 0 });
  if (errors.length === 0) {
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
