import type { ApiObject, FieldError, KindDefinition } from '../../contracts.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const labelFromLetter = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const letterRule =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/** Names that may hold more: roles are named like `system:node`. */
const pathSegment = /^(?!\.{1,2}$)[^/%]+$/;

/** Errors of `metadata.name`. A name becomes part of a path and of a key, so every kind's is checked. */
export function requireNames(kind: KindDefinition, { metadata }: ApiObject): FieldError[] {
  const { name } = metadata;
  const error = (reason: string, message: string): FieldError[] => [{ reason, field: 'metadata.name', message }];
  if (name === undefined || name === '') return error('FieldValueRequired', 'Required value: name or generateName is required');
  if (typeof name !== 'string') return error('FieldValueInvalid', 'Invalid value: must be a string');
  const wrong = (rule: string): FieldError[] => error('FieldValueInvalid', `Invalid value: ${JSON.stringify(name)}: ${rule}`);
  const { storage } = kind;
  if (storage.startsWith('rbac.'))
    return pathSegment.test(name) && name.length <= 253 && !name.includes(' ') ? [] : wrong('may not contain "/" or "%"');
  if (storage === 'core/services')
    return name.length > 63 ? wrong('must be no more than 63 characters') : labelFromLetter.test(name) ? [] : wrong(letterRule);
  if (storage === 'core/namespaces')
    return name.length > 63 ? wrong('must be no more than 63 characters') : label.test(name) ? [] : wrong(labelRule);
  return name.length > 253 ? wrong('must be no more than 253 characters') : subdomain.test(name) ? [] : wrong(subdomainRule);
}
