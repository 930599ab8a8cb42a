import type { ApiObject, Strategy } from '../../../contracts.ts';
import { forbidden } from '../failures.ts';

/** Cannot be deleted. */
const permanent = new Set(['default', 'kube-system', 'kube-public']);

function label(object: ApiObject): void {
  object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name! };
}

export const namespaceStrategy: Strategy = {
  prepareCreate(object) {
    label(object);
    object['spec'] = { finalizers: ['kubernetes'] };
    object['status'] = { phase: 'Active' };
  },
  prepareUpdate: label,
  admit(operation, object) {
    const { name = '' } = object.metadata;
    if (operation === 'delete' && permanent.has(name))
      throw forbidden(`namespaces "${name}" is forbidden: this namespace may not be deleted`);
  },
};
