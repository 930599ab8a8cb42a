/** What `COMMAND` says of a command or subcommand. https://redis.io/docs/latest/commands/command/ */
interface Command {
  /** In lower case; a subcommand's with that of its command: `xgroup|create`. */
  name: string;
  flags: string[];
  categories: string[];
  keys: KeySpecification[];
  subcommands: Command[];
}

interface KeySpecification {
  flags: string[];
  /** How the first key is found; `unknown` when only the data tells. */
  begin: string;
}

/**
 * Commands that an app may use although no key tells whose data they reach. None lists, reads, changes or delays what is another's.
 * `INFO` tells figures of the whole server, and drivers ask for it.
 */
const withoutKeys = {
  connection: ['auth', 'hello', 'reset', 'quit', 'ping', 'echo', 'select'],
  server: ['time', 'info', 'command', 'wait', 'waitaof'],
  transactions: ['multi', 'exec', 'discard', 'unwatch'],
  // The account's channel patterns hold for these.
  channels: ['publish', 'subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe'],
  // What a script calls is checked as if the app had called it.
  scripts: ['script|load', 'script|exists'],
  // Not TRACKING, which can broadcast the names of everybody's keys.
  client: ['id', 'info', 'getname', 'setname', 'setinfo', 'reply', 'no-touch', 'help'].map((name) => `client|${name}`),
  account: ['acl|whoami', 'acl|cat', 'acl|genpass'],
};

/**
 * Whose keys the server finds by a function of its own, whatever it says of them. Sorting by other keys, which can be anybody's, is open to
 * those alone who may read all keys. Older servers look for the first word "STREAMS", and then hold that or an option's against the prefix.
 */
const checkedByTheServer = ['sort', 'sort_ro', 'xread', 'xreadgroup'];

/**
 * Of several STORE the last one counts, and servers before 7.2.16, 7.4.11 and 8.2.9 check the first. Those that look for the last say that
 * what they say of the keys is incomplete. https://github.com/redis/redis/pull/15478
 */
const storingLast = ['georadius', 'georadiusbymember'];

/**
 * Those of vector sets name one key and touch no other. They are part of Redis 8 and yet flagged as a module's, as no other command of this
 * server is: a module's declare their keys themselves, some too few, and are allowed only when they are named here.
 */
const vectorSets = ['vadd', 'vcard', 'vdim', 'vemb', 'vgetattr', 'vinfo', 'vismember', 'vlinks', 'vrandmember', 'vrem', 'vsetattr', 'vsim'];

const named = new Set([...Object.values(withoutKeys).flat(), ...vectorSets, ...checkedByTheServer]);

/**
 * The commands of this very server that an app may use, by name: a later version's new ones are closed until somebody has thought about
 * them. Besides those named above these are all whose every key the server itself holds against the account's patterns.
 * @param answer of `COMMAND`
 */
export function commandsForApps(answer: unknown): string[] {
  const allowed = (command: Command): string[] => {
    if (named.has(command.name)) return [command.name];
    if (command.subcommands.length > 0) return command.subcommands.flatMap(allowed);
    const reachesTooFar = command.flags.includes('module') || command.categories.some((name) => name === '@admin' || name === '@dangerous');
    return !reachesTooFar && (storingLast.includes(command.name) ? isIncomplete(command) : keysAreKnown(command)) ? [command.name] : [];
  };
  return (answer as unknown[][]).map(readCommand).flatMap(allowed).sort();
}

function keysAreKnown(command: Command): boolean {
  return command.keys.length > 0 && command.keys.every(({ begin }) => begin !== 'unknown') && !isIncomplete(command);
}

function isIncomplete({ keys }: Command): boolean {
  return keys.some(({ flags }) => flags.includes('incomplete'));
}

function readCommand(entry: unknown[]): Command {
  const [name, , flags, , , , categories, , keys, subcommands] = entry;
  return {
    name: String(name).toLowerCase(),
    flags: flags as string[],
    categories: categories as string[],
    keys: (keys as unknown[][]).map((keySpecification) => {
      const fields = pairs(keySpecification);
      return { flags: fields.get('flags') as string[], begin: String(pairs(fields.get('begin_search') as unknown[]).get('type')) };
    }),
    subcommands: (subcommands as unknown[][]).map(readCommand),
  };
}

/** An answer that is names and values in turn. */
export function pairs(list: unknown[]): Map<string, unknown> {
  return new Map(Array.from({ length: list.length / 2 }, (_, index) => [String(list[2 * index]), list[2 * index + 1]]));
}
