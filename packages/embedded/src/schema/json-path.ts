import { isObject, own } from '../patch/values.ts';

type Step = { field: string } | { index: number } | { all: true } | { where: string[]; equals: unknown };

const stepPattern =
  /\.?([\w/-]+(?:\\\.[\w/-]+)*)|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(-?\d+)\]|(\.?\[\*\]|\.\*)|\[\?\(@((?:\.[\w-]+)+)\s*==\s*(?:"([^"]*)"|'([^']*)'|(true|false|-?\d+))\)\]/y;

/**
 * The JSONPath of printer columns and selectable fields: fields, quoted fields, indexes, `[*]` and `[?(@.type=="Ready")]`.
 * @returns undefined when the path is not understood.
 */
export function compileJsonPath(path: string): ((object: unknown) => unknown[]) | undefined {
  const steps: Step[] = [];
  const pattern = new RegExp(stepPattern);
  const source = path.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '');
  while (pattern.lastIndex < source.length) {
    const match = pattern.exec(source);
    if (!match) return undefined;
    const [, field, single, double, index, all, where, text, quoted, plain] = match;
    const name = field ?? single ?? double;
    if (name !== undefined) steps.push({ field: name.replaceAll(/\\(.)/g, '$1') });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (all !== undefined) steps.push({ all: true });
    else steps.push({ where: where!.slice(1).split('.'), equals: text ?? quoted ?? JSON.parse(plain!) });
  }
  return (object) =>
    steps
      .reduce<unknown[]>((values, step) => values.flatMap((value) => follow(value, step)), [object])
      .filter((value) => value !== undefined);
}

function follow(value: unknown, step: Step): unknown[] {
  if ('field' in step) return isObject(value) ? [own(value, step.field)] : [];
  if ('index' in step) return Array.isArray(value) ? [value.at(step.index)] : [];
  const items = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if ('all' in step) return items;
  return items.filter((item) => step.where.reduce<unknown>((at, name) => (isObject(at) ? own(at, name) : undefined), item) === step.equals);
}
