import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandWords } from './command-words.ts';

describe('the words of a command', () => {
  it.each([
    ['node server.js', ['node', 'server.js']],
    ['  node   --flag="a b"  ', ['node', '--flag=a b']],
    [`sh -c 'echo "$HOME" && ls'`, ['sh', '-c', 'echo "$HOME" && ls']],
    [String.raw`a\ b "c\"d" "e\f"`, ['a b', 'c"d', String.raw`e\f`]],
    [`'' ""`, ['', '']],
    ['serve --port $(PORT)', ['serve', '--port', '$(PORT)']],
    ['price 5$ a*b', ['price', '5$', 'a*b']],
  ])('are read as a shell reads them: %s', (text, words) => {
    expect(commandWords(text)).toEqual(words);
  });

  it.each(['a && b', 'a | b', 'a > b', 'a; b', 'echo $HOME', 'echo `date`', 'echo $(date +%s)', '(a)'])(
    'are refused where only a shell could tell: %s',
    (text) => {
      expect(() => commandWords(text)).toThrow(/for a shell/);
    },
  );

  it.each([`a "b`, `a 'b`, '', '   '])('are refused when there is nothing whole: %j', (text) => {
    expect(() => commandWords(text)).toThrow(/partner|empty/);
  });

  it('come back whole from quotes, whatever they are', () => {
    const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (words) => {
        expect(commandWords(words.map(quoted).join(' '))).toEqual(words);
      }),
    );
  });

  it('are what a shell makes of the same text', () => {
    const character = fc.constantFrom('a', 'b', ' ', '"', "'", '\\', '-', '=');
    fc.assert(
      fc.property(fc.string({ unit: character, minLength: 1, maxLength: 12 }), (text) => {
        let ours: string[];
        try {
          ours = commandWords(text);
        } catch {
          return;
        }
        // The shell takes a backslash at the very end for the beginning of another line.
        fc.pre(!text.endsWith('\\'));
        const theirs = execFileSync('sh', ['-c', `set -f; for word in ${text}; do printf '%s\\0' "$word"; done`], { encoding: 'utf8' });
        expect(ours).toEqual(theirs.split('\0').slice(0, -1));
      }),
      { numRuns: 40 },
    );
  });
});
