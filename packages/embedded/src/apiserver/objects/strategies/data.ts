import type { ApiObject, Strategy } from '../../../contracts.ts';
import { forbiddenChange, immutable } from './immutable.ts';

function fillSecret(object: ApiObject): void {
  if (object.kind !== 'Secret') return;
  object['type'] ??= 'Opaque';
  const plain = object['stringData'] as Record<string, string> | undefined;
  delete object['stringData'];
  if (!plain) return;
  object['data'] ??= {};
  for (const [key, value] of Object.entries(plain)) object['data'][key] = Buffer.from(String(value)).toString('base64');
}

/** Secrets and config maps. */
export const dataStrategy: Strategy = {
  prepareCreate: fillSecret,
  prepareUpdate: fillSecret,
  validate(object, old) {
    if (!old) return [];
    const errors = object.kind === 'Secret' ? immutable('type', old['type'], object['type']) : [];
    if (!old['immutable']) return errors;
    if (!object['immutable']) errors.push(forbiddenChange('immutable', 'field is immutable when `immutable` is set'));
    for (const field of ['data', 'binaryData']) {
      if (immutable(field, old[field], object[field]).length > 0)
        errors.push(forbiddenChange(field, 'field is immutable when `immutable` is set'));
    }
    return errors;
  },
};
