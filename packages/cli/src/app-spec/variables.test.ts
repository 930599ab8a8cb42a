import { describe, expect, it } from 'vitest';
import { escapeReferences, parseVariable, parseVariables, withVariables } from './variables.ts';

describe('a variable of the command line', () => {
  it.each([
    ['A=1', 'A', '1'],
    ['URL=http://x/?a=b&c=d', 'URL', 'http://x/?a=b&c=d'],
    ['EMPTY=', 'EMPTY', ''],
    ['DB=$(DB_HOST):$(DB_PORT)', 'DB', '$(DB_HOST):$(DB_PORT)'],
    ['spring.profile-name=x', 'spring.profile-name', 'x'],
    ['LINES=a\nb', 'LINES', 'a\nb'],
  ])('is split at its first "=": %s', (text, name, value) => {
    expect(parseVariable(text, {})).toEqual({ name, value });
  });

  it('is taken from the environment when it has no value', () => {
    expect(parseVariable('TOKEN', { TOKEN: 's3cret' })).toEqual({ name: 'TOKEN', value: 's3cret' });
    expect(() => parseVariable('TOKEN', {})).toThrow(/TOKEN has no value/);
  });

  it.each(['=x', '1A=x', 'A B=x', 'Ä=x', ''])('is refused when it cannot have the name: %j', (text) => {
    expect(() => parseVariable(text, {})).toThrow(/cannot be the name/);
  });

  it('keeps two dollars, of which Kubernetes makes one', () => {
    expect(escapeReferences('a$$b$c')).toBe('a$$$$b$c');
  });
});

describe('a file of variables', () => {
  it('has one a line, with comments, quotes and export', () => {
    const text = '# made by hand\n\nA=1\r\nexport B = "two words"\nC=\'#3\'\nD=a=b\nE=\n  F="it\'s"\n';
    expect(parseVariables(text, 'x.env')).toEqual([
      { name: 'A', value: '1' },
      { name: 'B', value: 'two words' },
      { name: 'C', value: '#3' },
      { name: 'D', value: 'a=b' },
      { name: 'E', value: '' },
      { name: 'F', value: "it's" },
    ]);
  });

  it('is refused with the line that is none', () => {
    expect(() => parseVariables('A=1\nnonsense\n', 'x.env')).toThrow('Line 2 of x.env is no variable.');
  });
});

it('changes variables in their place and adds new ones at the end', () => {
  const before = [
    { name: 'A', value: '1' },
    { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ];
  expect(
    withVariables(before, [
      { name: 'C', value: '3' },
      { name: 'B', value: '2' },
      { name: 'C', value: '4' },
    ]),
  ).toEqual([
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
    { name: 'C', value: '4' },
  ]);
});
