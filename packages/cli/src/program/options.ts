import { InvalidArgumentError, Option, type Command } from 'commander';

/** `-o`, for commands that print data. */
export const output = (): Option => new Option('-o, --output <format>', 'output format').choices(['text', 'json', 'yaml']).default('text');

export function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write for example 90s, 5m or 1h.');
  return Number(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[(match[2] ?? 's') as 's'];
}

/** Node's timers hold 31 bits of milliseconds: a longer one would be over at once. */
const longestTimeoutHours = 596;

function timeout(text: string): number {
  const time = seconds(text);
  if (time > longestTimeoutHours * 3600) throw new InvalidArgumentError(`Write at most ${longestTimeoutHours}h.`);
  return time;
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port from 0 to 65535.');
  return port;
}

/** A port that something can listen on. */
export function appPort(text: string): number {
  const port = portNumber(text);
  if (port === 0) throw new InvalidArgumentError('Write a port from 1 to 65535.');
  return port;
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Write a whole number, 0 or more.');
  return Number(text);
}

/** Any number of times: `--env A=1 --env B=2`. */
export const collected = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const scoped = (command: Command): Command =>
  command
    .option('--project <name>', 'project name (default: "default")')
    .option('--environment <name>', 'target environment, for example test, acc or prod');

/** @param until what is waited for, as in "do not wait until it is ready". */
export const waiting = (command: Command, until: string): Command =>
  command
    .option('--no-wait', `do not wait until ${until}`)
    .addOption(new Option('--timeout <time>', 'how long to wait').argParser(timeout).default(300, '5m'));

export const examples = (command: Command, ...lines: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
