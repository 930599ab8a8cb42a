import type { KindDefinition } from '../contracts.ts';

type Operation = Record<string, unknown>;

const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'];
const methods: Readonly<Record<string, { verb: string; collection: boolean; action: string; parameters: readonly string[] }[]>> = {
  get: [
    {
      verb: 'list',
      collection: true,
      action: 'list',
      parameters: ['continue', 'fieldSelector', 'labelSelector', 'limit', 'resourceVersion', 'timeoutSeconds', 'watch'],
    },
    { verb: 'get', collection: false, action: 'get', parameters: [] },
  ],
  post: [{ verb: 'create', collection: true, action: 'post', parameters: writeParameters }],
  put: [{ verb: 'update', collection: false, action: 'put', parameters: writeParameters }],
  patch: [{ verb: 'patch', collection: false, action: 'patch', parameters: [...writeParameters, 'force'] }],
  delete: [
    {
      verb: 'deletecollection',
      collection: true,
      action: 'deletecollection',
      parameters: ['dryRun', 'fieldSelector', 'labelSelector', 'propagationPolicy'],
    },
    { verb: 'delete', collection: false, action: 'delete', parameters: ['dryRun', 'gracePeriodSeconds', 'propagationPolicy'] },
  ],
};

const integers = new Set(['limit', 'timeoutSeconds', 'gracePeriodSeconds']);
const booleans = new Set(['watch', 'force']);

function parameter(name: string, version: 2 | 3): object {
  const type = integers.has(name) ? 'integer' : booleans.has(name) ? 'boolean' : 'string';
  return version === 2 ? { name, in: 'query', type, uniqueItems: true } : { name, in: 'query', schema: { type, uniqueItems: true } };
}

function pathParameter(name: string, version: 2 | 3): object {
  return {
    name,
    in: 'path',
    required: true,
    ...(version === 2 ? { type: 'string', uniqueItems: true } : { schema: { type: 'string', uniqueItems: true } }),
  };
}

/**
 * The paths of the kinds as far as clients read them: which kind answers where (`kubectl explain`), and which parameters a write
 * takes (`kubectl apply` looks for `fieldValidation`).
 * @param version of OpenAPI.
 */
export function openApiPaths(kinds: readonly KindDefinition[], version: 2 | 3): Record<string, object> {
  const paths: Record<string, object> = {};
  for (const kind of kinds) {
    const { type } = kind;
    const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
    const collection = `${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.plural}`;
    const own = pathItem(kind, true, version);
    if (own) paths[collection] = own;
    const item = pathItem(kind, false, version);
    if (item) paths[`${collection}/{name}`] = item;
    if (item && kind.status) paths[`${collection}/{name}/status`] = withoutDelete(item);
  }
  return paths;
}

function withoutDelete(item: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(item).filter(([method]) => method !== 'delete'));
}

function pathItem(kind: KindDefinition, collection: boolean, version: 2 | 3): Record<string, unknown> | undefined {
  const { group, version: apiVersion, kind: name, namespaced } = kind.type;
  const item: Record<string, unknown> = {};
  for (const [method, variants] of Object.entries(methods)) {
    for (const variant of variants) {
      if (variant.collection !== collection || (kind.verbs && !kind.verbs.includes(variant.verb))) continue;
      item[method] = {
        operationId: `${variant.verb}${namespaced ? 'Namespaced' : ''}${name}`,
        ...(variant.parameters.length > 0
          ? { parameters: variant.parameters.map((parameterName) => parameter(parameterName, version)) }
          : {}),
        responses: { '200': { description: 'OK' } },
        'x-kubernetes-action': variant.action,
        'x-kubernetes-group-version-kind': { group, kind: name, version: apiVersion },
      } satisfies Operation;
    }
  }
  if (Object.keys(item).length === 0) return undefined;
  const parameters = [...(collection ? [] : ['name']), ...(namespaced ? ['namespace'] : [])];
  return {
    ...item,
    ...(parameters.length > 0 ? { parameters: parameters.map((parameterName) => pathParameter(parameterName, version)) } : {}),
  };
}
