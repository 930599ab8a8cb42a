/** The subset of the Common Expression Language that validation rules here may use. Anything else is a syntax error. */
export type Expression =
  | { op: 'literal'; value: string | number | boolean | null }
  | { op: 'name'; name: string }
  | { op: 'field'; target: Expression; name: string }
  | { op: 'index'; target: Expression; index: Expression }
  | { op: 'call'; target: Expression | undefined; name: string; args: Expression[] }
  | { op: 'list'; items: Expression[] }
  | { op: 'unary'; sign: '!' | '-'; operand: Expression }
  | { op: 'binary'; sign: string; left: Expression; right: Expression }
  | { op: 'conditional'; test: Expression; yes: Expression; no: Expression };

export class CelSyntaxError extends Error {
  override readonly name = 'CelSyntaxError';
}

interface Token {
  kind: 'number' | 'string' | 'name' | 'sign' | 'end';
  text: string;
  at: number;
}

const tokenPattern =
  /\s+|\/\/[^\n]*|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)|(?<string>[rR]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|(?<name>[A-Za-z_]\w*)|(?<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()[\]])/y;
const precedence: readonly (readonly string[])[] = [['||'], ['&&'], ['==', '!=', '<', '<=', '>', '>=', 'in'], ['+', '-'], ['*', '/', '%']];
/** Nesting of expressions; no rule that people write comes near. */
const depthLimit = 100;

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(source);
    if (!match) throw new CelSyntaxError(`unsupported or malformed expression at ${JSON.stringify(source.slice(at, at + 20))}`);
    for (const kind of ['number', 'string', 'name', 'sign'] as const)
      if (match.groups![kind] !== undefined) tokens.push({ kind, text: match.groups![kind], at });
  }
  return [...tokens, { kind: 'end', text: '', at: source.length }];
}

function unquote(text: string): string {
  if (/^r/i.test(text)) return text.slice(2, -1);
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", '`': '`', '?': '?' };
  return text.slice(1, -1).replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, letter: string) => {
    const plain = code === undefined ? escapes[letter] : String.fromCharCode(Number.parseInt(code, 16));
    if (plain === undefined) throw new CelSyntaxError(`unsupported escape \\${letter}`);
    return plain;
  });
}

/** @throws CelSyntaxError */
export function parse(source: string): Expression {
  const tokens = tokensOf(source);
  let position = 0;
  let depth = 0;
  const peek = (): Token => tokens[position]!;
  const accept = (...signs: string[]): string | undefined => {
    const { kind, text } = peek();
    if ((kind !== 'sign' && text !== 'in') || !signs.includes(text)) return undefined;
    position++;
    return text;
  };
  const expect = (sign: string): void => {
    if (accept(sign) === undefined)
      throw new CelSyntaxError(`expected ${sign} at ${JSON.stringify(source.slice(peek().at, peek().at + 20))}`);
  };
  const list = (end: string): Expression[] => {
    const items: Expression[] = [];
    if (accept(end)) return items;
    do items.push(conditional());
    while (accept(','));
    expect(end);
    return items;
  };

  function conditional(): Expression {
    if (++depth > depthLimit) throw new CelSyntaxError('the expression is nested too deeply');
    const test = binary(0);
    let result = test;
    if (accept('?')) {
      const yes = conditional();
      expect(':');
      result = { op: 'conditional', test, yes, no: conditional() };
    }
    depth--;
    return result;
  }

  function binary(level: number): Expression {
    if (level === precedence.length) return unary();
    let left = binary(level + 1);
    for (let sign = accept(...precedence[level]!); sign !== undefined; sign = accept(...precedence[level]!))
      left = { op: 'binary', sign, left, right: binary(level + 1) };
    return left;
  }

  function unary(): Expression {
    const sign = accept('!', '-');
    if (sign === undefined) return member();
    if (++depth > depthLimit) throw new CelSyntaxError('the expression is nested too deeply');
    const operand = unary();
    depth--;
    return { op: 'unary', sign: sign as '!' | '-', operand };
  }

  function member(): Expression {
    let target = primary();
    for (;;) {
      if (accept('.')) {
        const { kind, text } = peek();
        if (kind !== 'name') throw new CelSyntaxError(`expected a field name after "."`);
        position++;
        target = accept('(') ? { op: 'call', target, name: text, args: list(')') } : { op: 'field', target, name: unescapeName(text) };
      } else if (accept('[')) {
        const index = conditional();
        expect(']');
        target = { op: 'index', target, index };
      } else return target;
    }
  }

  function primary(): Expression {
    const { kind, text, at } = peek();
    if (accept('(')) {
      const inner = conditional();
      expect(')');
      return inner;
    }
    if (accept('[')) return { op: 'list', items: list(']') };
    position++;
    if (kind === 'number') return { op: 'literal', value: Number(text.replace(/u$/, '')) };
    if (kind === 'string') return { op: 'literal', value: unquote(text) };
    if (kind === 'name') {
      if (text === 'true' || text === 'false') return { op: 'literal', value: text === 'true' };
      if (text === 'null') return { op: 'literal', value: null };
      return accept('(') ? { op: 'call', target: undefined, name: text, args: list(')') } : { op: 'name', name: text };
    }
    throw new CelSyntaxError(kind === 'end' ? 'the expression ends too early' : `unexpected ${JSON.stringify(text)} at ${at}`);
  }

  const expression = conditional();
  if (peek().kind !== 'end') throw new CelSyntaxError(`unexpected ${JSON.stringify(peek().text)}`);
  return expression;
}

/** How Kubernetes writes field names that are no CEL identifiers. */
function unescapeName(name: string): string {
  return name
    .replaceAll('__dot__', '.')
    .replaceAll('__dash__', '-')
    .replaceAll('__slash__', '/')
    .replaceAll('__underscores__', '__')
    .replace(/^__(\w+)__$/, '$1');
}
