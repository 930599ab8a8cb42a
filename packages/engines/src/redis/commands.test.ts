import { describe, expect, it } from 'vitest';
import { commandsForApps } from './commands.ts';

/** An entry of the answer of `COMMAND`, with one key whose specification has these flags. */
const command = (name: string, ...flags: string[]) => [
  name,
  -2,
  ['write'],
  1,
  1,
  1,
  ['@write'],
  [],
  [['flags', ['RW', ...flags], 'begin_search', ['type', 'index']]],
  [],
];

describe('commands for apps', () => {
  it('are those whose keys the server knows', () => {
    expect(commandsForApps([command('set'), command('later', 'incomplete')])).toEqual(['set']);
  });
  it.each(['georadius', 'georadiusbymember'])('have %s where the server looks at all that it would write to', (name) => {
    expect(commandsForApps([command(name)])).toEqual([]);
    expect(commandsForApps([command(name, 'incomplete')])).toEqual([name]);
  });
  it.each(['xread', 'xreadgroup'])('have %s whatever the server says of its keys', (name) => {
    expect(commandsForApps([command(name)])).toEqual([name]);
    expect(commandsForApps([command(name, 'incomplete')])).toEqual([name]);
  });
});
