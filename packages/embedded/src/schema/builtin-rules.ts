import type { ApiObject, FieldError } from '../contracts.ts';
import { isObject } from '../patch/values.ts';
import { parseQuantity, compareQuantities } from '@skipper/api';
import { duplicate, forbidden, invalid, notFound, required } from './field-errors.ts';

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsLabelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const qualifiedNameRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const quantityRule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const annotationsLimit = 256 * 1024;

function keyErrors(key: string, field: string): FieldError[] {
  const parts = key.split('/');
  const name = parts.at(-1)!;
  if (parts.length > 2 || (parts.length === 2 && !subdomain.test(parts[0]!)))
    return [invalid(field, key, 'prefix part must be a DNS subdomain')];
  if (name.length > 63) return [invalid(field, key, 'name part must be no more than 63 characters')];
  return qualifiedName.test(name) ? [] : [invalid(field, key, qualifiedNameRule)];
}

export function labelErrors(labels: unknown, field: string): FieldError[] {
  if (!isObject(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => {
    const errors = keyErrors(key, field);
    if (typeof value !== 'string') return errors;
    if (value.length > 63) errors.push(invalid(field, value, 'must be no more than 63 characters'));
    else if (value !== '' && !qualifiedName.test(value)) errors.push(invalid(field, value, labelValueRule));
    return errors;
  });
}

/** What every object has of its own: labels, annotations, finalizers, owners. */
export function metadataErrors({ metadata }: ApiObject): FieldError[] {
  const errors = labelErrors(metadata.labels, 'metadata.labels');
  const annotations = metadata.annotations ?? {};
  for (const key of Object.keys(annotations)) errors.push(...keyErrors(key.toLowerCase(), 'metadata.annotations'));
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
  if (size > annotationsLimit)
    errors.push({
      reason: 'FieldValueTooLong',
      field: 'metadata.annotations',
      message: `Too long: may not be more than ${annotationsLimit} bytes`,
    });
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[field]) errors.push(invalid(`metadata.ownerReferences[${index}].${field}`, owner[field] ?? '', 'must not be empty'));
  }
  for (const finalizer of metadata.finalizers ?? []) errors.push(...keyErrors(finalizer, 'metadata.finalizers'));
  const controllers = (metadata.ownerReferences ?? []).filter(({ controller }) => controller);
  if (controllers.length > 1) {
    const [first, second] = controllers.map(({ kind, name }) => `${kind}/${name}`);
    errors.push(
      invalid(
        'metadata.ownerReferences',
        metadata.ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`,
      ),
    );
  }
  return errors;
}

const isPort = (port: unknown): boolean => typeof port === 'number' && port >= 1 && port <= 65_535;
const portErrors = (port: unknown, field: string): FieldError[] =>
  port === undefined || typeof port === 'string' || isPort(port) ? [] : [invalid(field, port, 'must be between 1 and 65535, inclusive')];
const list = (value: unknown): any[] => (Array.isArray(value) ? value : []);

function quantityErrors(amounts: unknown, field: string): FieldError[] {
  if (!isObject(amounts)) return [];
  return Object.entries(amounts).flatMap(([name, amount]) => {
    const value = parseQuantity(String(amount));
    if (value === undefined) return [invalid(`${field}[${name}]`, amount, quantityRule)];
    return value < 0n ? [invalid(`${field}[${name}]`, amount, 'must be greater than or equal to 0')] : [];
  });
}

function resourceErrors(resources: any, field: string): FieldError[] {
  const errors = [...quantityErrors(resources?.limits, `${field}.limits`), ...quantityErrors(resources?.requests, `${field}.requests`)];
  if (errors.length > 0) return errors;
  for (const [name, request] of Object.entries(resources?.requests ?? {})) {
    const limit = resources.limits?.[name];
    if (limit !== undefined && compareQuantities(String(request), String(limit)) > 0)
      errors.push(invalid(`${field}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
  return errors;
}

function probeErrors(probe: any, field: string): FieldError[] {
  if (!isObject(probe)) return [];
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((name) => probe[name] !== undefined);
  const errors = handlers.length === 0 ? [required(field, 'must specify a handler type')] : [];
  for (const handler of handlers.slice(1))
    errors.push({
      reason: 'FieldValueForbidden',
      field: `${field}.${handler}`,
      message: 'Forbidden: may not specify more than 1 handler type',
    });
  errors.push(
    ...portErrors(probe['httpGet']?.port ?? probe['tcpSocket']?.port, `${field}.${probe['httpGet'] ? 'httpGet' : 'tcpSocket'}.port`),
  );
  for (const name of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']) {
    if (typeof probe[name] === 'number' && probe[name] < 0)
      errors.push(invalid(`${field}.${name}`, probe[name], 'must be greater than or equal to 0'));
  }
  return errors;
}

function containerErrors(container: any, field: string, volumes: ReadonlySet<string>, names: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const { name } = container;
  if (typeof name === 'string' && name !== '') {
    if (name.length > 63) errors.push(invalid(`${field}.name`, name, 'must be no more than 63 characters'));
    else if (!dnsLabel.test(name)) errors.push(invalid(`${field}.name`, name, dnsLabelRule));
    if (names.has(name)) errors.push(duplicate(`${field}.name`, name));
    names.add(name);
  }
  if (!container.image) errors.push(required(`${field}.image`));
  for (const [index, port] of list(container.ports).entries()) {
    errors.push(...portErrors(port?.containerPort, `${field}.ports[${index}].containerPort`));
    if (port?.hostPort) errors.push(...portErrors(port.hostPort, `${field}.ports[${index}].hostPort`));
  }
  for (const [index, variable] of list(container.env).entries()) {
    if (typeof variable?.name === 'string' && /[^\x20-\x3c\x3e-\x7e]/.test(variable.name))
      errors.push(
        invalid(
          `${field}.env[${index}].name`,
          variable.name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    if (variable?.value && variable.valueFrom)
      errors.push(invalid(`${field}.env[${index}].valueFrom`, '', 'may not be specified when `value` is not empty'));
  }
  const paths = new Set<string>();
  for (const [index, mount] of list(container.volumeMounts).entries()) {
    if (mount?.name && !volumes.has(mount.name)) errors.push(notFound(`${field}.volumeMounts[${index}].name`, mount.name));
    if (paths.has(mount?.mountPath)) errors.push(invalid(`${field}.volumeMounts[${index}].mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount?.mountPath);
  }
  errors.push(...resourceErrors(container.resources, `${field}.resources`));
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    errors.push(...probeErrors(container[probe], `${field}.${probe}`));
  return errors;
}

function podErrors(spec: any, field: string, claims: readonly string[] = []): FieldError[] {
  if (!isObject(spec)) return [];
  const errors: FieldError[] = [];
  const volumes = new Set<string>(claims);
  for (const [index, volume] of list(spec['volumes']).entries()) {
    const { name } = volume ?? {};
    if (typeof name !== 'string') continue;
    if (!dnsLabel.test(name)) errors.push(invalid(`${field}.volumes[${index}].name`, name, dnsLabelRule));
    if (volumes.has(name) && !claims.includes(name)) errors.push(duplicate(`${field}.volumes[${index}].name`, name));
    volumes.add(name);
  }
  const names = new Set<string>();
  if (list(spec['containers']).length === 0) errors.push(required(`${field}.containers`));
  for (const group of ['containers', 'initContainers']) {
    for (const [index, container] of list(spec[group]).entries())
      if (isObject(container)) errors.push(...containerErrors(container, `${field}.${group}[${index}]`, volumes, names));
  }
  return errors;
}

function matches(selector: any, labels: Record<string, unknown>): boolean {
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) if (labels[key] !== value) return false;
  return list(selector?.matchExpressions).every(({ key, operator, values }) => {
    const isThere = Object.hasOwn(labels, key);
    if (operator === 'Exists') return isThere;
    if (operator === 'DoesNotExist') return !isThere;
    return operator === 'In' ? isThere && list(values).includes(labels[key]) : !isThere || !list(values).includes(labels[key]);
  });
}

function workloadErrors(object: ApiObject): FieldError[] {
  const { spec } = object as ApiObject & { spec: any };
  if (!isObject(spec)) return [];
  const errors: FieldError[] = [];
  const { selector, template, replicas } = spec as Record<string, any>;
  if (typeof replicas === 'number' && replicas < 0) errors.push(invalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
  const labels = template?.metadata?.labels ?? {};
  errors.push(...labelErrors(labels, 'spec.template.metadata.labels'));
  const isEmpty =
    isObject(selector) && Object.keys(selector['matchLabels'] ?? {}).length === 0 && list(selector['matchExpressions']).length === 0;
  if (isEmpty) errors.push(invalid('spec.selector', selector, 'empty selector is invalid for this workload'));
  else if (isObject(selector) && !matches(selector, labels))
    errors.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  const claims = list(spec['volumeClaimTemplates']).map((claim) => claim?.metadata?.name as string);
  errors.push(...podErrors(template?.spec, 'spec.template.spec', claims));
  if (template?.spec?.restartPolicy && template.spec.restartPolicy !== 'Always')
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'spec.template.spec.restartPolicy',
      message: `Unsupported value: "${template.spec.restartPolicy}": supported values: "Always"`,
    });
  return errors;
}

function deploymentErrors(object: ApiObject): FieldError[] {
  const { strategy } = object['spec'] ?? {};
  const isTorn = strategy?.type === 'Recreate' && strategy.rollingUpdate;
  return [
    ...workloadErrors(object),
    ...(isTorn ? [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")] : []),
  ];
}

function serviceErrors({ spec }: ApiObject): FieldError[] {
  const errors: FieldError[] = labelErrors(spec?.selector, 'spec.selector');
  const ports = list(spec?.ports);
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`;
    if (ports.length > 1 && !port?.name) errors.push(required(`${field}.name`));
    if (port?.name && names.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
    names.add(port?.name);
    errors.push(...portErrors(port?.port, `${field}.port`), ...portErrors(port?.targetPort, `${field}.targetPort`));
  }
  if (spec?.type === 'ExternalName' && !spec.externalName) errors.push(required('spec.externalName'));
  return errors;
}

function claimErrors({ spec }: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  if (list(spec?.accessModes).length === 0) errors.push(required('spec.accessModes', 'at least 1 access mode is required'));
  const storage = spec?.resources?.requests?.storage;
  if (storage === undefined) errors.push(required('spec.resources[storage]'));
  else {
    const amount = parseQuantity(String(storage));
    if (amount === undefined) errors.push(invalid('spec.resources.requests[storage]', storage, quantityRule));
    else if (amount <= 0n) errors.push(invalid('spec.resources[storage]', storage, 'must be greater than zero'));
  }
  return errors;
}

const dataKey = /^[-._a-zA-Z0-9]+$/;
/** What a Secret or ConfigMap may hold. */
const dataLimit = 1024 * 1024;

function dataErrors(object: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const field of ['data', 'binaryData', 'stringData']) {
    for (const [key, value] of Object.entries((object[field] as Record<string, unknown> | undefined) ?? {})) {
      size += String(value).length;
      if (!dataKey.test(key) || key.length > 253 || key === '.' || key === '..')
        errors.push(
          invalid(
            `${field}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        );
    }
  }
  const decoded = object.kind === 'Secret' ? (size * 3) / 4 : size;
  if (decoded > dataLimit)
    errors.push({
      reason: 'FieldValueTooLong',
      field: object.kind === 'Secret' ? 'data' : '',
      message: `Too long: may not be more than ${dataLimit} bytes`,
    });
  return errors;
}

function leaseErrors({ spec }: ApiObject): FieldError[] {
  const seconds = spec?.leaseDurationSeconds;
  return typeof seconds === 'number' && seconds <= 0 ? [invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : [];
}

function eventErrors({ metadata, involvedObject }: ApiObject): FieldError[] {
  // What belongs to no namespace has its events in `default`.
  const namespace = involvedObject?.namespace ?? '';
  if (namespace === metadata.namespace || (namespace === '' && metadata.namespace === 'default')) return [];
  return [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

/** By the name of the type. */
export const builtinRules: Readonly<Record<string, (object: ApiObject, old: ApiObject | undefined) => FieldError[]>> = {
  'io.k8s.api.core.v1.Pod': ({ spec }) => podErrors(spec, 'spec'),
  'io.k8s.api.core.v1.Service': serviceErrors,
  'io.k8s.api.core.v1.Event': eventErrors,
  'io.k8s.api.coordination.v1.Lease': leaseErrors,
  'io.k8s.api.core.v1.PersistentVolumeClaim': claimErrors,
  'io.k8s.api.core.v1.Secret': dataErrors,
  'io.k8s.api.core.v1.ConfigMap': dataErrors,
  'io.k8s.api.apps.v1.StatefulSet': workloadErrors,
  'io.k8s.api.apps.v1.Deployment': deploymentErrors,
  'io.k8s.api.apps.v1.ReplicaSet': workloadErrors,
  'io.k8s.api.apps.v1.DaemonSet': workloadErrors,
};
