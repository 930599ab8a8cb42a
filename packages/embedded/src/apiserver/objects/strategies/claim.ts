import { isDeepStrictEqual } from 'node:util';
import { compareQuantities } from '@skipper/api';
import type { ApiObject, FieldError, Strategy } from '../../../contracts.ts';
import { forbidden } from '../failures.ts';
import { fieldError, forbiddenChange } from './immutable.ts';

/** What may change in a claim, set aside. */
function fixedPart(spec: any): unknown {
  const { resources, volumeName, volumeAttributesClassName, ...rest } = spec ?? {};
  return rest;
}

export const claimStrategy: Strategy = {
  prepareCreate(object, context) {
    const classes = context.list('storage.k8s.io/storageclasses');
    const standard = classes.find(({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true');
    object['spec'] ??= {};
    if (object['spec'].storageClassName === undefined && standard) object['spec'].storageClassName = standard.metadata.name;
    object['spec'].volumeMode ??= 'Filesystem';
    object['status'] = { phase: 'Pending' };
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), 'kubernetes.io/pvc-protection'])];
  },
  prepareUpdate(object, old, context) {
    const before = old['spec'].resources?.requests?.storage as string | undefined;
    const now = object['spec']?.resources?.requests?.storage as string | undefined;
    if (!before || !now || compareQuantities(now, before) <= 0) return;
    const name = object['spec'].storageClassName as string | undefined;
    const storageClass = name === undefined ? undefined : context.find('storage.k8s.io/storageclasses', undefined, name);
    if (!storageClass?.['allowVolumeExpansion']) {
      throw forbidden(
        `persistentvolumeclaims "${object.metadata.name}" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`,
      );
    }
  },
  validate(object, old): FieldError[] {
    if (!old) return [];
    const errors: FieldError[] = [];
    const { spec } = object as ApiObject & { spec: any };
    const moved = old['spec'].volumeName && old['spec'].volumeName !== spec.volumeName;
    if (moved || !isDeepStrictEqual(fixedPart(old['spec']), fixedPart(spec))) {
      errors.push(
        forbiddenChange(
          'spec',
          'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
        ),
      );
    }
    const before = old['spec'].resources?.requests?.storage as string | undefined;
    const now = spec.resources?.requests?.storage as string | undefined;
    if (before && now && compareQuantities(now, before) < 0) {
      errors.push(
        fieldError('FieldValueForbidden', 'spec.resources.requests.storage', 'Forbidden: field can not be less than status.capacity'),
      );
    }
    return errors;
  },
};
