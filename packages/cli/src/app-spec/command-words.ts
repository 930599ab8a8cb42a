import { KipError } from '@skipper/api';

/**
 * The words of a command as a shell reads them: quotes and backslashes group, and nothing else is special. What only a shell can carry
 * out is refused, because none runs. A reference to a variable in Kubernetes' way, `$(PORT)`, is kept.
 * @throws KipError `usage`
 */
export function commandWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index]!;
    if (character === "'") {
      const end = endOfQuote(text, index);
      word = (word ?? '') + text.slice(index + 1, end);
      index = end;
    } else if (character === '"') {
      const end = endOfQuote(text, index);
      word = (word ?? '') + text.slice(index + 1, end).replace(/\\(["\\$`])/g, '$1');
      index = end;
    } else if (character === '\\' && index + 1 < text.length) {
      index += 1;
      word = (word ?? '') + text[index];
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      if (isForShell(text, index))
        throw new KipError('usage', `"${character}" in the command is for a shell, and the command runs without one.`, {
          hint: `Quote it, or let a shell run it: --command "sh -c '${text.replaceAll("'", "'\\''")}'"`,
        });
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new KipError('usage', 'The command is empty.', { hint: 'Write for example --command "node server.js".' });
  return words;
}

function endOfQuote(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    if (text[index] === text[start]) return index;
    if (text[start] === '"' && text[index] === '\\') index += 1;
  }
  throw new KipError('usage', `The command has a ${text[start]} without its partner.`, { hint: 'Close the quote.' });
}

function isForShell(text: string, index: number): boolean {
  const character = text[index]!;
  if (character === '$') return !/^\$\([A-Za-z_][A-Za-z0-9_.-]*\)/.test(text.slice(index)) && /^\$[A-Za-z_({]/.test(text.slice(index));
  if (character === '(' || character === ')') return !/\$\([A-Za-z0-9_.-]*\)?$/.test(text.slice(0, index + 1));
  return '&|;<>`'.includes(character);
}
