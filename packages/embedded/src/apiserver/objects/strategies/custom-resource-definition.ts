import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.d.ts';
import type { ApiObject, FieldError, Strategy } from '../../../contracts.ts';
import { fieldError } from './immutable.ts';

function fill(object: ApiObject): void {
  const { spec } = object as unknown as CustomResourceDefinition;
  if (!spec?.names?.kind) return;
  spec.names.singular ??= spec.names.kind.toLowerCase();
  spec.names.listKind ??= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
}

/** Served at once, so it is established at once. */
function establish(object: ApiObject, now: Date): void {
  const { spec } = object as unknown as CustomResourceDefinition;
  if (!spec?.names || !Array.isArray(spec.versions)) return;
  const time = now.toISOString();
  const condition = (type: string, reason: string, message: string): object => ({
    type,
    status: 'True',
    reason,
    message,
    lastTransitionTime: time,
  });
  object['status'] = {
    acceptedNames: spec.names,
    storedVersions: spec.versions.filter(({ storage }) => storage).map(({ name }) => name),
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
  };
}

export const customResourceDefinitionStrategy: Strategy = {
  prepareCreate(object, context) {
    fill(object);
    establish(object, context.now());
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), 'customresourcecleanup.apiextensions.k8s.io'])];
  },
  prepareUpdate: fill,
  validate(object): FieldError[] {
    const { spec, metadata } = object as unknown as CustomResourceDefinition;
    const required = (field: string): FieldError => fieldError('FieldValueRequired', field, 'Required value');
    if (!spec) return [required('spec')];
    const errors: FieldError[] = [];
    if (!spec.group) errors.push(required('spec.group'));
    if (!spec.names?.plural) errors.push(required('spec.names.plural'));
    if (!spec.names?.kind) errors.push(required('spec.names.kind'));
    if (spec.scope !== 'Namespaced' && spec.scope !== 'Cluster')
      errors.push(
        fieldError(
          'FieldValueNotSupported',
          'spec.scope',
          `Unsupported value: ${JSON.stringify(spec.scope ?? '')}: supported values: "Cluster", "Namespaced"`,
        ),
      );
    const expected = `${spec.names?.plural}.${spec.group}`;
    if (metadata?.name !== expected)
      errors.push(
        fieldError(
          'FieldValueInvalid',
          'metadata.name',
          `Invalid value: ${JSON.stringify(metadata?.name)}: must be spec.names.plural+"."+spec.group`,
        ),
      );
    if ((spec.versions ?? []).filter(({ storage }) => storage).length !== 1) {
      errors.push(
        fieldError('FieldValueInvalid', 'spec.versions', 'Invalid value: must have exactly one version marked as storage version'),
      );
    }
    spec.versions?.forEach((version, index) => {
      if (!version.schema?.openAPIV3Schema)
        errors.push(
          fieldError('FieldValueRequired', `spec.versions[${index}].schema.openAPIV3Schema`, 'Required value: schemas are required'),
        );
    });
    return errors;
  },
};
