import { Redis, type RedisOptions } from 'ioredis';
import { refuseUnless, type Account, type AccountsDriver, type Attack, type Driver } from './driver.ts';

const options: RedisOptions = { retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: 5_000 };

async function withRedis<T>(make: () => Redis, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = make();
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

const as = ({ host, port, username, password }: Account) => new Redis({ host, port, username, password, ...options });
const call = (account: Account, ...[name, ...args]: string[]) =>
  withRedis(
    () => as(account),
    (client) => client.call(name!, ...args),
  );

const command = (line: string): Attack => ({
  name: line,
  run: (attacker, victim) =>
    call(
      attacker,
      ...line
        .split(' ')
        .map((word) =>
          word
            .replace('theirs', victim.database)
            .replace('mine', attacker.database)
            .replace('them', victim.username)
            .replace('myself', attacker.username),
        ),
    ),
});

/** One a line; `theirs` and `mine` stand for the prefixes, `them` and `myself` for the names. */
const commands = `
  GET theirs:kept
  MGET mine:kept theirs:kept
  STRLEN theirs:kept
  EXISTS theirs:kept
  TYPE theirs:kept
  DUMP theirs:kept
  COPY theirs:kept mine:copy REPLACE
  RENAME theirs:kept mine:kept
  SORT mine:list BY nosort GET theirs:*
  WATCH theirs:kept
  OBJECT ENCODING theirs:kept
  MEMORY USAGE theirs:kept
  TTL theirs:kept
  XREAD STREAMS theirs:stream 0
  PFCOUNT theirs:none
  SET theirs:kept changed
  DEL theirs:kept
  UNLINK theirs:kept
  EXPIRE theirs:kept 1
  APPEND theirs:kept x
  MSET mine:kept 1 theirs:kept 2
  BITOP NOT theirs:kept mine:kept
  SUNIONSTORE theirs:set mine:set
  MOVE theirs:kept 3
  SORT mine:list STORE theirs:sorted
  LMOVE mine:list theirs:list LEFT LEFT
  GEORADIUS mine:g 0 0 1 m STORE mine:near STORE theirs:g
  GEORADIUSBYMEMBER mine:g x 1 m STORE mine:near STORE theirs:g
  GEOSEARCHSTORE theirs:g mine:g FROMLONLAT 0 0 BYRADIUS 1 m
  KEYS *
  SCAN 0
  RANDOMKEY
  DBSIZE
  FLUSHALL
  FLUSHDB
  SWAPDB 0 1
  ACL LIST
  ACL USERS
  ACL GETUSER them
  ACL SETUSER them >changed
  ACL SETUSER myself ~*
  ACL SETUSER made_by_attack on
  ACL DELUSER them
  CONFIG GET dir
  CONFIG SET maxmemory-samples 5
  CLIENT LIST
  CLIENT KILL USER them
  CLIENT PAUSE 1
  CLIENT UNBLOCK 1
  MONITOR
  SUBSCRIBE theirs:news
  PSUBSCRIBE *
  SSUBSCRIBE theirs:news
  PUBLISH theirs:news x
  SPUBLISH theirs:news x
  PSUBSCRIBE __key*
  PUBSUB CHANNELS
  PUBSUB NUMSUB theirs:news
  SLOWLOG GET
  LATENCY LATEST
  REPLICAOF NO ONE
  BGREWRITEAOF
  MODULE LIST
  SCRIPT FLUSH
  FUNCTION LIST
  FUNCTION FLUSH
  CLIENT TRACKING ON BCAST
  MIGRATE 127.0.0.1 1 none 0 1
`;

const attacks: Attack[] = [
  ...commands
    .trim()
    .split(/\s*\n\s*/)
    .map(command),
  ...['theirs:kept', 'none'].map((declared) => ({
    name: `reads in a script that names the key ${declared}`,
    run: (attacker: Account, victim: Account) =>
      call(
        attacker,
        'EVAL',
        `return redis.call('GET', '${victim.database}:kept')`,
        '1',
        declared.replace('theirs', victim.database).replace('none', `${attacker.database}:kept`),
      ),
  })),
  {
    name: 'reads in another numbered database',
    run: (attacker, victim) =>
      withRedis(
        () => as(attacker),
        async (client) => {
          await client.select(1);
          return client.get(`${victim.database}:kept`);
        },
      ),
  },
  {
    name: 'loads a function that others may call',
    run: (attacker) =>
      call(attacker, 'FUNCTION', 'LOAD', 'REPLACE', "#!lua name=lib\nredis.register_function('f', function() return 1 end)"),
  },
  {
    name: 'sees the keys of others in a scan of names',
    run: async (attacker, victim) =>
      refuseUnless(JSON.stringify(await call(attacker, 'SCAN', '0', 'COUNT', '1000')).includes(victim.database)),
  },
];

/** By its text: the errors of keys, channels, sorting and scripts have no code in common. */
const refusal = /NOPERM|insufficient ACL permissions|can't access|can't run this command/;

const accounts: AccountsDriver = {
  whoAmI: (by) =>
    withRedis(
      () => (typeof by === 'string' ? new Redis(by, options) : as(by)),
      async (client) => String(await client.call('ACL', 'WHOAMI')),
    ),
  write: async (account, value) => {
    await call(account, 'SET', `${account.database}:kept`, value);
    await call(account, 'DEL', `${account.database}:list`);
    await call(account, 'RPUSH', `${account.database}:list`, '1');
  },
  read: async (account) => ((await call(account, 'GET', `${account.database}:kept`)) ?? undefined) as string | undefined,
  hold: async (account) => {
    const client = as(account);
    client.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    await client.ping();
    return () => ended;
  },
  attacks,
  widenings: [
    {
      name: 'all rights',
      apply: (admin, { username }) => call(admin, 'ACL', 'SETUSER', username, '~*', '&*', '+@all'),
      opens: 'GET theirs:kept',
    },
    {
      name: "the other's keys",
      apply: (admin, { username }, { database }) => call(admin, 'ACL', 'SETUSER', username, `%R~${database}:*`),
      opens: 'GET theirs:kept',
    },
    { name: 'a listing command', apply: (admin, { username }) => call(admin, 'ACL', 'SETUSER', username, '+scan'), opens: 'SCAN 0' },
    {
      name: 'a selector',
      apply: (admin, { username }) => call(admin, 'ACL', 'SETUSER', username, '(+get ~*)'),
      opens: 'GET theirs:kept',
    },
    { name: 'all channels', apply: (admin, { username }) => call(admin, 'ACL', 'SETUSER', username, 'allchannels'), opens: 'PSUBSCRIBE *' },
  ],
  isRefusal: (error) => refusal.test((error as Error).message),
  drop: async (admin, { username }) => {
    await call(admin, 'ACL', 'DELUSER', username);
  },
};

export const redisDriver: Driver = {
  write: (uri, value) =>
    withRedis(
      () => new Redis(uri, options),
      async (client) => {
        await client.set('kept', value);
      },
    ),
  read: (uri) =>
    withRedis(
      () => new Redis(uri, options),
      async (client) => (await client.get('kept')) ?? undefined,
    ),
  connectWithoutPassword: (host, port) =>
    withRedis(
      () => new Redis({ host, port, ...options }),
      (client) => client.get('kept'),
    ),
  accounts,
};
