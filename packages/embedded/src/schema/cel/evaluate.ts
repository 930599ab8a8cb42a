import { compareQuantities, parseQuantity } from '@skipper/api';
import { equal, isObject, own } from '../../patch/values.ts';
import { CelSyntaxError, parse, type Expression } from './parse.ts';

export class CelRuntimeError extends Error {
  override readonly name = 'CelRuntimeError';
}

class Quantity {
  readonly text: string;
  constructor(text: string) {
    if (parseQuantity(text) === undefined) throw new CelRuntimeError(`quantities must match the regular expression of a quantity: ${text}`);
    this.text = text;
  }
}

type Scope = Readonly<Record<string, unknown>>;
type Callable = (...args: any[]) => unknown;

const fail = (message: string): never => {
  throw new CelRuntimeError(message);
};
const text = (value: unknown): string => (typeof value === 'string' ? value : fail('no such overload'));
const characters = (value: string): string[] => [...value];

const functions: Readonly<Record<string, [arity: number, call: Callable]>> = {
  size: [1, (value) => sizeOf(value)],
  string: [1, (value) => (value instanceof Quantity ? value.text : typeof value === 'object' ? fail('no such overload') : String(value))],
  int: [1, (value) => (Number.isFinite(Number(value)) && value !== '' ? Math.trunc(Number(value)) : fail('type conversion error'))],
  double: [1, (value) => (Number.isFinite(Number(value)) && value !== '' ? Number(value) : fail('type conversion error'))],
  quantity: [1, (value) => new Quantity(text(value))],
  isQuantity: [1, (value) => parseQuantity(text(value)) !== undefined],
};

const methods: Readonly<Record<string, [arity: number, call: Callable]>> = {
  size: [0, (target) => sizeOf(target)],
  startsWith: [1, (target, part) => text(target).startsWith(text(part))],
  endsWith: [1, (target, part) => text(target).endsWith(text(part))],
  contains: [1, (target, part) => text(target).includes(text(part))],
  matches: [1, (target, pattern) => new RegExp(text(pattern), 'u').test(text(target))],
  lowerAscii: [0, (target) => text(target).replace(/[A-Z]/g, (letter) => letter.toLowerCase())],
  upperAscii: [0, (target) => text(target).replace(/[a-z]/g, (letter) => letter.toUpperCase())],
  trim: [0, (target) => text(target).trim()],
  split: [1, (target, separator) => text(target).split(text(separator))],
  compareTo: [
    1,
    (target, other) =>
      target instanceof Quantity && other instanceof Quantity ? compareQuantities(target.text, other.text) : fail('no such overload'),
  ],
  isGreaterThan: [1, (target, other) => methods['compareTo']![1](target, other) === 1],
  isLessThan: [1, (target, other) => methods['compareTo']![1](target, other) === -1],
};
/** Methods over a list or the keys of a map: the first argument names the variable. */
const macros = new Set(['all', 'exists', 'exists_one', 'filter', 'map']);

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return characters(value).length;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : fail('no such overload');
}

export interface Program {
  /** Whether the rule compares with the value before. */
  readonly usesOldSelf: boolean;
  /** @throws CelRuntimeError */
  run(variables: Scope): unknown;
}

/** @throws CelSyntaxError for what is not in the subset, unknown names and functions included. */
export function compile(source: string): Program {
  const expression = parse(source);
  const used = new Set<string>();
  check(expression, new Set(['self', 'oldSelf']), used);
  return { usesOldSelf: used.has('oldSelf'), run: (variables) => evaluate(expression, variables) };
}

function check(expression: Expression, known: ReadonlySet<string>, used: Set<string>): void {
  const inner = (...parts: Expression[]): void => parts.forEach((part) => check(part, known, used));
  switch (expression.op) {
    case 'literal':
      return;
    case 'name':
      if (!known.has(expression.name)) throw new CelSyntaxError(`undeclared reference to '${expression.name}'`);
      used.add(expression.name);
      return;
    case 'field':
      return inner(expression.target);
    case 'index':
      return inner(expression.target, expression.index);
    case 'list':
      return inner(...expression.items);
    case 'unary':
      return inner(expression.operand);
    case 'binary':
      return inner(expression.left, expression.right);
    case 'conditional':
      return inner(expression.test, expression.yes, expression.no);
    case 'call':
      return checkCall(expression, known, used);
  }
}

function checkCall({ target, name, args }: Extract<Expression, { op: 'call' }>, known: ReadonlySet<string>, used: Set<string>): void {
  if (target === undefined && name === 'has') {
    if (args.length !== 1 || args[0]!.op !== 'field') throw new CelSyntaxError('invalid argument to has() macro');
    return check(args[0]!, known, used);
  }
  if (target !== undefined && macros.has(name)) {
    const [variable, body] = args;
    if (args.length !== 2 || variable!.op !== 'name') throw new CelSyntaxError(`${name}() takes a name and an expression`);
    check(target, known, used);
    return check(body!, new Set([...known, variable!.name]), used);
  }
  const table = target === undefined ? functions : methods;
  if (!Object.hasOwn(table, name) || table[name]![0] !== args.length)
    throw new CelSyntaxError(`undeclared reference to '${name}' with ${args.length} arguments`);
  if (name === 'matches' && args[0]!.op === 'literal') {
    try {
      new RegExp(String(args[0]!.value), 'u');
    } catch {
      throw new CelSyntaxError(`invalid regular expression ${JSON.stringify(args[0]!.value)}`);
    }
  }
  if (target) check(target, known, used);
  for (const arg of args) check(arg, known, used);
}

function fieldOf(target: unknown, name: string): unknown {
  if (!isObject(target) || target instanceof Quantity) return fail('no such overload');
  const value = own(target, name);
  return value === undefined ? fail(`no such key: ${name}`) : value;
}

function truth(value: unknown): boolean {
  return typeof value === 'boolean' ? value : fail('no such overload');
}

function evaluate(expression: Expression, scope: Scope): unknown {
  switch (expression.op) {
    case 'literal':
      return expression.value;
    case 'name':
      return own(scope, expression.name) ?? null;
    case 'field':
      return fieldOf(evaluate(expression.target, scope), expression.name);
    case 'index': {
      const target = evaluate(expression.target, scope);
      const index = evaluate(expression.index, scope);
      if (!Array.isArray(target)) return fieldOf(target, text(index));
      return typeof index === 'number' && index in target ? target[index] : fail(`index out of bounds: ${String(index)}`);
    }
    case 'list':
      return expression.items.map((item) => evaluate(item, scope));
    case 'unary': {
      const value = evaluate(expression.operand, scope);
      if (expression.sign === '!') return !truth(value);
      return typeof value === 'number' ? -value : fail('no such overload');
    }
    case 'conditional':
      return evaluate(truth(evaluate(expression.test, scope)) ? expression.yes : expression.no, scope);
    case 'binary':
      return binary(expression, scope);
    case 'call':
      return call(expression, scope);
  }
}

/** In CEL `&&` and `||` hide the error of one side when the other side decides. */
function logical(left: () => boolean, right: () => boolean, deciding: boolean): boolean {
  let first: boolean;
  try {
    first = left();
  } catch (error) {
    if (right() === deciding) return deciding;
    throw error;
  }
  return first === deciding ? deciding : right();
}

function binary({ sign, left, right }: Extract<Expression, { op: 'binary' }>, scope: Scope): unknown {
  if (sign === '&&' || sign === '||')
    return logical(
      () => truth(evaluate(left, scope)),
      () => truth(evaluate(right, scope)),
      sign === '||',
    );
  const [a, b] = [evaluate(left, scope), evaluate(right, scope)];
  if (sign === '==') return same(a, b);
  if (sign === '!=') return !same(a, b);
  if (sign === 'in')
    return Array.isArray(b) ? b.some((item) => same(item, a)) : isObject(b) ? Object.hasOwn(b, text(a)) : fail('no such overload');
  if (sign === '+' && typeof a === 'string' && typeof b === 'string') return a + b;
  if (sign === '+' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  const comparable = (typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string');
  if (comparable) {
    if (sign === '<') return a < b;
    if (sign === '<=') return a <= b;
    if (sign === '>') return a > b;
    if (sign === '>=') return a >= b;
  }
  if (typeof a !== 'number' || typeof b !== 'number') return fail('no such overload');
  if ((sign === '/' || sign === '%') && b === 0) return fail('division by zero');
  if (sign === '+') return a + b;
  if (sign === '-') return a - b;
  if (sign === '*') return a * b;
  const whole = Number.isInteger(a) && Number.isInteger(b);
  return sign === '%' ? a % b : whole ? Math.trunc(a / b) : a / b;
}

function same(a: unknown, b: unknown): boolean {
  return a instanceof Quantity && b instanceof Quantity ? compareQuantities(a.text, b.text) === 0 : equal(a, b);
}

function call({ target, name, args }: Extract<Expression, { op: 'call' }>, scope: Scope): unknown {
  if (target === undefined) {
    if (name !== 'has') return functions[name]![1](...args.map((arg) => evaluate(arg, scope)));
    const field = args[0] as Extract<Expression, { op: 'field' }>;
    const holder = evaluate(field.target, scope);
    return isObject(holder) ? own(holder, field.name) !== undefined : fail('no such overload');
  }
  const value = evaluate(target, scope);
  if (!macros.has(name)) return methods[name]![1](value, ...args.map((arg) => evaluate(arg, scope)));
  const items: unknown[] = Array.isArray(value) ? value : isObject(value) ? Object.keys(value) : fail('no such overload');
  const variable = (args[0] as Extract<Expression, { op: 'name' }>).name;
  const each = (item: unknown): unknown => evaluate(args[1]!, { ...scope, [variable]: item });
  if (name === 'all') return items.every((item) => truth(each(item)));
  if (name === 'exists') return items.some((item) => truth(each(item)));
  if (name === 'exists_one') return items.filter((item) => truth(each(item))).length === 1;
  return name === 'filter' ? items.filter((item) => truth(each(item))) : items.map(each);
}
