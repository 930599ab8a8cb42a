import { compareQuantities } from '@skipper/api';
import type { FieldError } from '../../../contracts.ts';
import { fieldError } from './immutable.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const labelRule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const variable = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
/** A service name as IANA has it. */
const portName = /^(?=.{1,15}$)(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

export const required = (field: string, detail = ''): FieldError => fieldError('FieldValueRequired', field, detail ? `Required value: ${detail}` : 'Required value');
export const invalidValue = (field: string, value: unknown, detail: string): FieldError => fieldError('FieldValueInvalid', field, `Invalid value: ${JSON.stringify(value)}: ${detail}`);
export const duplicate = (field: string, value: unknown): FieldError => fieldError('FieldValueDuplicate', field, `Duplicate value: ${JSON.stringify(value)}`);
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError =>
  fieldError('FieldValueNotSupported', field, `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((name) => JSON.stringify(name)).join(', ')}`);

export function portErrors(field: string, port: unknown): FieldError[] {
  return Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535 ? [] : [invalidValue(field, port ?? 0, 'must be between 1 and 65535, inclusive')];
}

/** What Kubernetes asks of a pod's spec beyond its schema, as far as pods run here. */
export function podSpecErrors(spec: any, path: string): FieldError[] {
  const volumes = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, { name }] of (spec.volumes ?? []).entries()) {
    errors.push(...nameErrors(`${path}.volumes[${index}].name`, name, volumes));
  }
  if (!spec.containers?.length) errors.push(required(`${path}.containers`));
  const names = new Set<string>();
  for (const list of ['initContainers', 'containers']) {
    for (const [index, container] of (spec[list] ?? []).entries()) errors.push(...containerErrors(container, `${path}.${list}[${index}]`, names, volumes));
  }
  if (!['Always', 'OnFailure', 'Never'].includes(spec.restartPolicy)) errors.push(notSupported(`${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']));
  if (spec.terminationGracePeriodSeconds < 0) errors.push(invalidValue(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0'));
  return errors;
}

function nameErrors(field: string, name: unknown, taken: Set<string>): FieldError[] {
  if (typeof name !== 'string' || name === '') return [required(field)];
  if (taken.has(name)) return [duplicate(field, name)];
  taken.add(name);
  if (name.length > 63) return [invalidValue(field, name, 'must be no more than 63 bytes')];
  return label.test(name) ? [] : [invalidValue(field, name, labelRule)];
}

function containerErrors(container: any, path: string, names: Set<string>, volumes: ReadonlySet<string>): FieldError[] {
  const errors = nameErrors(`${path}.name`, container.name, names);
  if (!container.image) errors.push(required(`${path}.image`));
  if (!['Always', 'IfNotPresent', 'Never'].includes(container.imagePullPolicy)) errors.push(notSupported(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']));
  const ports = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const field = `${path}.ports[${index}]`;
    errors.push(...portErrors(`${field}.containerPort`, port.containerPort));
    if (port.name === undefined) continue;
    if (!portName.test(port.name)) errors.push(invalidValue(`${field}.name`, port.name, 'must contain at least one letter (a-z), only lower case letters, digits and single hyphens, and no more than 15 characters'));
    if (ports.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
    ports.add(port.name);
  }
  for (const [index, { name }] of (container.env ?? []).entries()) {
    const field = `${path}.env[${index}].name`;
    if (!name) errors.push(required(field));
    else if (!variable.test(name)) errors.push(invalidValue(field, name, "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit"));
  }
  const paths = new Set<string>();
  for (const [index, { name, mountPath }] of (container.volumeMounts ?? []).entries()) {
    const field = `${path}.volumeMounts[${index}]`;
    if (!name) errors.push(required(`${field}.name`));
    else if (!volumes.has(name)) errors.push(fieldError('FieldValueNotFound', `${field}.name`, `Not found: ${JSON.stringify(name)}`));
    if (!mountPath) errors.push(required(`${field}.mountPath`));
    else if (paths.has(mountPath)) errors.push(invalidValue(`${field}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
  }
  const { requests = {}, limits = {} } = container.resources ?? {};
  for (const [kind, amounts] of Object.entries({ limits, requests })) {
    for (const [name, amount] of Object.entries<any>(amounts)) {
      if (compareQuantities(String(amount), '0') < 0) errors.push(invalidValue(`${path}.resources.${kind}.${name}`, String(amount), 'must be greater than or equal to 0'));
    }
  }
  for (const [name, amount] of Object.entries<any>(requests)) {
    if (limits[name] !== undefined && compareQuantities(String(amount), String(limits[name])) > 0) {
      errors.push(invalidValue(`${path}.resources.requests`, String(amount), `must be less than or equal to ${name} limit of ${String(limits[name])}`));
    }
  }
  return errors;
}
