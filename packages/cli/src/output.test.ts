import { afterEach, expect, it, vi } from 'vitest';
import { KipError } from '@skipper/api';
import { explain } from './explain.ts';
import { startProgress, table } from './output.ts';

afterEach(() => void vi.restoreAllMocks());

/** What `work` says on stderr. */
function said(work: () => void): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  work();
  return write.mock.calls.map(([text]) => String(text)).join('');
}

const hostile = 'a\x1b[2Jb\r\nc\x9b1md\u0007é';
const shown = String.raw`a\x1b[2Jb\r\nc\x9b1md\x07é`;

it('shows control characters in the cells of a table', () => {
  expect(
    table([
      ['NAME', 'VALUE'],
      [hostile, 'x'],
      ['y', hostile],
    ]),
  ).toBe(['  NAME' + ' '.repeat(shown.length - 1) + 'VALUE', `  ${shown}   x`, '  y' + ' '.repeat(shown.length + 2) + shown].join('\n'));
});

it('shows them in the line that says what is waited for', () => {
  expect(said(() => startProgress().update(hostile))).toBe(`  ${shown}\n`);
});

it('shows them in errors, whose own lines stay lines', () => {
  const error = new KipError('invalid', `one\n  two: \x1b[31m`, { hint: '\x9b' });
  expect(said(() => explain(error, false))).toBe(String.raw`Error: one` + '\n' + String.raw`  two: \x1b[31m` + '\n' + '  \\x9b\n');
});
