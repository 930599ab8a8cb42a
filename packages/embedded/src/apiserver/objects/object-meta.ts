import type { ApiObject, FieldError } from '../../contracts.ts';

const namePart = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const prefixPart = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const nameRule = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueRule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/** Of all annotations of an object together, in bytes. */
const annotationsLimit = 256 << 10;
/** Finalizers that need no prefix. */
const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Why `key` is no qualified name: an optional prefix, a slash and a name. */
function nameProblem(key: string): string | undefined {
  const parts = key.split('/');
  const name = parts.at(-1)!;
  if (parts.length > 2) return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
  if (parts.length === 2 && (parts[0] === '' || parts[0]!.length > 253 || !prefixPart.test(parts[0]!))) return 'prefix part must be a lowercase RFC 1123 subdomain';
  if (name === '') return 'name part must be non-empty';
  if (name.length > 63) return 'name part must be no more than 63 bytes';
  return namePart.test(name) ? undefined : nameRule;
}

/** Errors of labels, annotations, finalizers and owners; their types are the schema's business. */
export function requireMetadata({ metadata }: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const invalid = (field: string, value: unknown, detail: string): void => void errors.push({ reason: 'FieldValueInvalid', field: `metadata.${field}`, message: `Invalid value: ${JSON.stringify(value)}: ${detail}` });
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    const problem = nameProblem(key);
    if (problem) invalid('labels', key, problem);
    if (typeof value !== 'string') continue;
    if (value.length > 63) invalid('labels', value, 'must be no more than 63 bytes');
    else if (!labelValue.test(value)) invalid('labels', value, valueRule);
  }
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    // Annotations may be named with capitals in their prefix.
    const problem = nameProblem(key.toLowerCase());
    if (problem) invalid('annotations', key, problem);
    size += key.length + Buffer.byteLength(String(value));
  }
  if (size > annotationsLimit) errors.push({ reason: 'FieldValueTooLong', field: 'metadata.annotations', message: `Too long: may not be more than ${annotationsLimit} bytes` });
  for (const name of Array.isArray(metadata.finalizers) ? metadata.finalizers : []) {
    const problem = nameProblem(name);
    if (problem) invalid('finalizers', name, problem);
    else if (!name.includes('/') && !standardFinalizers.has(name)) invalid('finalizers', name, 'name is neither a standard finalizer name nor is it fully qualified');
  }
  const owners = Array.isArray(metadata.ownerReferences) ? metadata.ownerReferences : [];
  for (const [index, owner] of owners.entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[field]) invalid(`ownerReferences[${index}].${field}`, owner[field] ?? '', `${field === 'apiVersion' ? 'version' : field} must not be empty`);
    }
  }
  const controllers = owners.filter(({ controller }) => controller);
  if (controllers.length > 1) {
    invalid('ownerReferences', owners, `Only one reference can have Controller set to true. Found "true" in references for ${controllers.slice(0, 2).map(({ kind, name }) => `${kind}/${name}`).join(' and ')}`);
  }
  return errors;
}
