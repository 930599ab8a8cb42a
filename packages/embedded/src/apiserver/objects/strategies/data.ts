import type { ApiObject, FieldError, Strategy } from '../../../contracts.ts';
import { fieldError, forbiddenChange, immutable } from './immutable.ts';
import { invalidValue } from './pod-rules.ts';

function fillSecret(object: ApiObject): void {
  if (object.kind !== 'Secret') return;
  object['type'] ??= 'Opaque';
  const plain = object['stringData'] as Record<string, string> | undefined;
  delete object['stringData'];
  if (!plain) return;
  object['data'] ??= {};
  for (const [key, value] of Object.entries(plain)) object['data'][key] = Buffer.from(String(value)).toString('base64');
}

const key = /^[-._a-zA-Z0-9]+$/;
/** Of all values of an object together, in bytes. */
const contentLimit = 1 << 20;

function contentErrors(object: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const field of ['data', 'binaryData']) {
    for (const [name, value] of Object.entries<string>(object[field] ?? {})) {
      const problem = name.length > 253 ? 'must be no more than 253 characters' : name === '.' || name === '..' ? `must not be '${name}'` : key.test(name) ? undefined : "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
      if (problem) errors.push(invalidValue(`${field}[${name}]`, name, problem));
      size += field === 'data' && object.kind === 'ConfigMap' ? Buffer.byteLength(value ?? '') : Math.floor(((value ?? '').length * 3) / 4);
    }
  }
  if (size > contentLimit) errors.push(fieldError('FieldValueTooLong', object.kind === 'Secret' ? 'data' : '', `Too long: may not be more than ${contentLimit} bytes`));
  return errors;
}

/** Secrets and config maps. */
export const dataStrategy: Strategy = {
  prepareCreate: fillSecret,
  prepareUpdate: fillSecret,
  validate(object, old) {
    const errors = contentErrors(object);
    if (!old) return errors;
    errors.push(...(object.kind === 'Secret' ? immutable('type', old['type'], object['type']) : []));
    if (!old['immutable']) return errors;
    if (!object['immutable']) errors.push(forbiddenChange('immutable', 'field is immutable when `immutable` is set'));
    for (const field of ['data', 'binaryData']) {
      if (immutable(field, old[field], object[field]).length > 0) errors.push(forbiddenChange(field, 'field is immutable when `immutable` is set'));
    }
    return errors;
  },
};
