import pc from 'picocolors';
import type { OutputOptions } from './options.ts';

/** Colours for stdout and stderr, where a person looks. */
export const colors = pc.createColors(pc.isColorSupported && process.stdout.isTTY === true);

const escapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * What others wrote, on one line: names, messages and values are theirs, and what is in them could move the cursor, hide what stands above
 * or name another window.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What is not the answer itself: goes to stderr, so that stdout can be piped. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** @returns whether a format for programs was asked for, in which case `data` has been printed. */
export async function printData({ output }: OutputOptions, data: unknown): Promise<boolean> {
  if (output === 'json') print(JSON.stringify(data, undefined, 2));
  else if (output === 'yaml') process.stdout.write((await import('yaml')).stringify(data));
  return output !== 'text';
}

/** Columns as wide as their widest cell, two spaces before the first. Cells are made {@link printable}. */
export function table(contents: readonly (readonly string[])[], gap = 3, least: readonly number[] = []): string {
  const rows = contents.map((row) => row.map(printable));
  const widths = rows[0]!.map((_, column) => Math.max(least[column] ?? 0, ...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      `  ${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]! + gap))).join('')}`.trimEnd(),
    )
    .join('\n');
}

export interface Progress {
  /** What is said is made {@link printable}. */
  update(text: string): void;
  done(): void;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Says what is waited for: one moving line on a terminal, a line for each change elsewhere. */
export function startProgress(): Progress {
  let current = '';
  if (process.stderr.isTTY !== true) {
    return {
      update(text) {
        if (text !== current) note(`  ${printable(text)}`);
        current = text;
      },
      done: () => undefined,
    };
  }
  let frame = 0;
  const draw = (): void =>
    void process.stderr.write(
      `\r\x1b[2K  ${frames[frame++ % frames.length]} ${current.slice(0, Math.max(10, (process.stderr.columns ?? 80) - 6))}`,
    );
  const timer = setInterval(draw, 100);
  return {
    update(text) {
      current = printable(text);
      draw();
    },
    done() {
      clearInterval(timer);
      process.stderr.write('\r\x1b[2K');
    },
  };
}
