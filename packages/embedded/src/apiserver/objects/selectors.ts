import type { ApiObject, KindDefinition } from '../../contracts.ts';
import { badRequest } from './failures.ts';

/** Whether an object is meant. */
export type Selector = (object: Readonly<ApiObject>) => boolean;

/** @throws a 400 failure when it cannot be understood. */
export function parseLabelSelector(text: string): Selector {
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  return ({ metadata }) => requirements.every((holds) => holds(metadata.labels ?? {}));
}

type Requirement = (labels: Record<string, string>) => boolean;

const key = String.raw`([A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?)`;
const patterns: [RegExp, (match: RegExpExecArray) => Requirement][] = [
  [
    new RegExp(`^${key}$`),
    ([, name]) =>
      (labels) =>
        Object.hasOwn(labels, name!),
  ],
  [
    new RegExp(`^!\\s*${key}$`),
    ([, name]) =>
      (labels) =>
        !Object.hasOwn(labels, name!),
  ],
  [
    new RegExp(`^${key}\\s*==?\\s*([-A-Za-z0-9_.]*)$`),
    ([, name, , value]) =>
      (labels) =>
        labels[name!] === value,
  ],
  [
    new RegExp(`^${key}\\s*!=\\s*([-A-Za-z0-9_.]*)$`),
    ([, name, , value]) =>
      (labels) =>
        labels[name!] !== value,
  ],
  [
    new RegExp(`^${key}\\s+(in|notin)\\s*\\(([^()]*)\\)$`),
    ([, name, , operator, list]) => {
      const values = new Set(list!.split(',').map((value) => value.trim()));
      return (labels) => (Object.hasOwn(labels, name!) && values.has(labels[name!]!)) === (operator === 'in');
    },
  ],
  [
    new RegExp(`^${key}\\s*([<>])\\s*(-?\\d+)$`),
    ([, name, , operator, value]) =>
      (labels) => {
        const number = Number(labels[name!] ?? 'none');
        return operator === '<' ? number < Number(value) : number > Number(value);
      },
  ],
];

function parseRequirement(text: string): Requirement {
  for (const [pattern, build] of patterns) {
    const match = pattern.exec(text.trim());
    if (match) return build(match);
  }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
}

function splitOutsideParentheses(text: string): string[] {
  if (text.trim() === '') return [];
  return text.split(/,(?![^(]*\))/);
}

/** @throws a 400 failure for a field that the kind cannot be selected by. */
export function parseFieldSelector(kind: KindDefinition, text: string): Selector {
  const terms = text
    .split(',')
    .filter(Boolean)
    .map((term) => {
      const match = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(term);
      if (!match) throw badRequest(`invalid field selector: "${term}"`);
      const [, field = '', operator, value] = match;
      const read = fieldReader(kind, field);
      return (object: Readonly<ApiObject>) => (read(object) === value) === (operator !== '!=');
    });
  return (object) => terms.every((holds) => holds(object));
}

function fieldReader(kind: KindDefinition, field: string): (object: Readonly<ApiObject>) => string {
  if (field === 'metadata.name') return ({ metadata }) => metadata.name ?? '';
  if (field === 'metadata.namespace' && kind.type.namespaced) return ({ metadata }) => metadata.namespace ?? '';
  const known = kind.selectableFields?.[field];
  if (!known) throw badRequest(`field label not supported: ${field}`);
  return known;
}
