import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from '../../../contracts.ts';

export function fieldError(reason: string, field: string, message: string): FieldError {
  return { reason, field, message };
}

export function forbiddenChange(field: string, message: string): FieldError {
  return fieldError('FieldValueForbidden', field, `Forbidden: ${message}`);
}

/** One error when `now` is not `before`. */
export function immutable(field: string, before: unknown, now: unknown): FieldError[] {
  if (isDeepStrictEqual(before ?? null, now ?? null)) return [];
  return [fieldError('FieldValueInvalid', field, `Invalid value: ${JSON.stringify(now ?? null)}: field is immutable`)];
}
