import pg from 'pg';
import { refuseUnless, type Account, type AccountsDriver, type Attack, type Driver } from './driver.ts';

async function withPostgres<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionTimeoutMillis: 5_000, ...config });
  // A server that stops ends its connections with an error of their own.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const parts = ({ username, host, port, password, database }: Account): pg.ClientConfig => ({
  host,
  port,
  user: username,
  password,
  database,
});

type Obstacle = NonNullable<AccountsDriver['obstacles']>[number];

const run = (account: Account, ...statements: string[]) =>
  withPostgres(parts(account), async (client) => {
    let result;
    for (const statement of statements) result = await client.query(statement);
    return result!;
  });

/** Leaves a transaction open, until the server ends its session. */
async function holding(account: Account, ...statements: string[]): Promise<void> {
  const client = new pg.Client(parts(account));
  client.on('error', () => undefined);
  await client.connect();
  for (const statement of ['BEGIN', ...statements]) await client.query(statement);
}

/** An attack that is a statement in the attacker's own database. */
const statement = (name: string, text: (attacker: Account, victim: Account) => string): Attack => ({
  name,
  run: (attacker, victim) => run(attacker, text(attacker, victim)),
});

const connecting = (name: string, database: (victim: Account) => string, text = 'SELECT 1'): Attack => ({
  name,
  run: (attacker, victim) => run({ ...attacker, database: database(victim) }, text),
});

const attacks: Attack[] = [
  connecting('connects to the database', (victim) => victim.database),
  connecting("connects to the administrator's database", () => 'app'),
  connecting('connects to the database postgres', () => 'postgres'),
  connecting('connects to the template of databases', () => 'template1'),
  connecting('reads', (victim) => victim.database, 'SELECT value FROM kept'),
  connecting('lists', (victim) => victim.database, 'SELECT tablename FROM pg_tables'),
  connecting('writes', (victim) => victim.database, "UPDATE kept SET value = 'changed'"),
  connecting('drops the table', (victim) => victim.database, 'DROP TABLE kept'),
  statement('drops the database', (_, victim) => `DROP DATABASE ${victim.database} WITH (FORCE)`),
  statement('takes the database over', (attacker, victim) => `ALTER DATABASE ${victim.database} OWNER TO ${attacker.username}`),
  statement('closes the database', (_, victim) => `ALTER DATABASE ${victim.database} CONNECTION LIMIT 0`),
  statement('lets itself into the database', (attacker, victim) => `GRANT CONNECT ON DATABASE ${victim.database} TO ${attacker.username}`),
  statement('becomes the other role', (_, victim) => `SET ROLE ${victim.username}`),
  statement('becomes the administrator', () => 'SET ROLE skipper'),
  statement('logs in as the other role within the session', (_, victim) => `SET SESSION AUTHORIZATION ${victim.username}`),
  statement('joins the other role', (attacker, victim) => `GRANT ${victim.username} TO ${attacker.username}`),
  statement('takes what the other role owns', (attacker, victim) => `REASSIGN OWNED BY ${victim.username} TO ${attacker.username}`),
  statement("sets the other role's password", (_, victim) => `ALTER ROLE ${victim.username} PASSWORD 'changed'`),
  statement("changes the administrator's account", () => 'ALTER ROLE skipper CONNECTION LIMIT -1'),
  statement('makes itself the administrator', (attacker) => `ALTER ROLE ${attacker.username} SUPERUSER`),
  statement('lets itself make databases', (attacker) => `ALTER ROLE ${attacker.username} CREATEDB`),
  statement('makes a role', () => 'CREATE ROLE made_by_attack'),
  statement('makes a database', () => 'CREATE DATABASE made_by_attack'),
  statement("reads the roles' password hashes", () => 'SELECT rolpassword FROM pg_authid'),
  statement("reads the server's files", () => "SELECT pg_read_file('PG_VERSION')"),
  statement("copies the server's files", () => "CREATE TEMP TABLE copied (line text); COPY copied FROM 'PG_VERSION'"),
  statement("lists the server's files", () => "SELECT pg_ls_dir('base')"),
  statement("runs programs on the server's machine", () => "COPY (SELECT 1) TO PROGRAM 'cat >/dev/null'"),
  statement("changes the server's settings", () => "ALTER SYSTEM SET work_mem = '4MB'"),
  statement('loads a library', () => "LOAD '$libdir/pgoutput'"),
  {
    name: 'sees what the other role asks',
    run: async (attacker, victim) =>
      withPostgres(parts(victim), async (client) => {
        await client.query("SELECT 'a secret of the victim'");
        const seen = await run(attacker, `SELECT query FROM pg_stat_activity WHERE usename = '${victim.username}'`);
        refuseUnless(JSON.stringify(seen.rows).includes('a secret of the victim'));
      }),
  },
  {
    name: "ends the other role's session",
    run: async (attacker, victim) =>
      withPostgres(parts(victim), async (client) => {
        const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
        await run(attacker, `SELECT pg_terminate_backend(${rows[0].pid})`);
      }),
  },
];

/** `insufficient_privilege`. A database's owner is told so by `42501` as well. */
const noRight = '42501';

const accounts: AccountsDriver = {
  whoAmI: (by) =>
    withPostgres(typeof by === 'string' ? { connectionString: by } : parts(by), async (client) => {
      const { rows } = await client.query('SELECT current_user AS name');
      return rows[0].name as string;
    }),
  write: async (account, value) => {
    await run(account, 'CREATE TABLE IF NOT EXISTS kept (value text)', 'DELETE FROM kept', `INSERT INTO kept VALUES ('${value}')`);
  },
  read: async (account) => (await run(account, 'SELECT value FROM kept')).rows[0]?.value as string | undefined,
  hold: async (account) => {
    const client = new pg.Client(parts(account));
    client.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    await client.connect();
    return () => ended;
  },
  attacks,
  widenings: [
    { name: 'all rights', apply: (admin, { username }) => run(admin, `ALTER ROLE ${username} SUPERUSER`), opens: 'reads' },
    {
      name: 'membership in the other role',
      apply: (admin, attacker, victim) => run(admin, `GRANT ${victim.username} TO ${attacker.username} WITH ADMIN OPTION`),
      opens: 'reads',
    },
    {
      name: 'a predefined role',
      apply: (admin, { username }) => run(admin, `GRANT pg_read_server_files TO ${username}`, `GRANT pg_read_all_settings TO ${username}`),
      opens: "copies the server's files",
    },
    {
      name: 'rights on the other database',
      apply: (admin, attacker, victim) => run(admin, `GRANT ALL ON DATABASE ${victim.database} TO ${attacker.username}`),
      opens: 'connects to the database',
    },
    {
      name: 'a database for everybody',
      apply: (admin, _, victim) => run(admin, `GRANT CONNECT ON DATABASE ${victim.database} TO PUBLIC`),
      opens: 'connects to the database',
    },
    {
      name: 'ownership of the other database',
      apply: (admin, attacker, victim) => run(admin, `ALTER DATABASE ${victim.database} OWNER TO ${attacker.username}`),
      opens: 'connects to the database',
    },
    {
      name: 'functions that read files',
      apply: (admin, attacker) =>
        run({ ...admin, database: attacker.database }, `GRANT EXECUTE ON FUNCTION pg_read_file(text) TO ${attacker.username}`),
      opens: "reads the server's files",
    },
    {
      name: 'the right to make databases',
      apply: (admin, { username }) => run(admin, 'DROP DATABASE IF EXISTS made_by_attack', `ALTER ROLE ${username} CREATEDB`),
      opens: 'makes a database',
    },
    {
      name: 'the right to make roles',
      apply: (admin, { username }) => run(admin, 'DROP ROLE IF EXISTS made_by_attack', `ALTER ROLE ${username} CREATEROLE`),
      opens: 'makes a role',
    },
    {
      name: 'a setting of the server',
      apply: (admin, { username }) => run(admin, `GRANT ALTER SYSTEM ON PARAMETER work_mem TO ${username}`),
      opens: "changes the server's settings",
    },
  ],
  obstacles: [
    ['a library that is not there', 'local_preload_libraries', 'nothing'],
    ['an end to transactions', 'transaction_timeout', '1ms'],
    ['an end to idle transactions', 'idle_in_transaction_session_timeout', '1ms'],
    ['an end to idle sessions', 'idle_session_timeout', '1ms'],
    ['an end to statements', 'statement_timeout', '1ms'],
    ['schemas of its own', 'search_path', 'public'],
  ]
    .map(([name, setting, value]): Obstacle => ({
      name: name!,
      apply: (account) => run(account, `ALTER DATABASE ${account.database} SET ${setting} = '${value}'`),
    }))
    .concat([
      { name: 'a change of its role without an end', apply: (account) => holding(account, "ALTER ROLE CURRENT_USER PASSWORD 'other'") },
      {
        name: 'a change of its database without an end',
        apply: async (account, { username }) => {
          await run(account, `GRANT CONNECT ON DATABASE ${account.database} TO PUBLIC, ${username}`);
          await holding(account, `ALTER DATABASE ${account.database} CONNECTION LIMIT 7`);
        },
      },
      {
        name: "a lock on a table that names the other's role",
        apply: async (account, { username }) => {
          await run(account, 'CREATE TABLE shared (value text)', `CREATE POLICY theirs ON shared TO ${username}`);
          await holding(account, 'LOCK TABLE shared');
        },
      },
      {
        name: "a right for the other's role without an end",
        apply: (account, { username }) => holding(account, 'CREATE TABLE shared (value text)', `GRANT SELECT ON shared TO ${username}`),
      },
    ]),
  isRefusal: (error) => (error as { code?: unknown }).code === noRight,
  logEverything: async (admin) => {
    await run(
      admin,
      "ALTER SYSTEM SET log_statement = 'all'",
      "ALTER SYSTEM SET log_error_verbosity = 'verbose'",
      'SELECT pg_reload_conf()',
    );
  },
  drop: async (admin, { username, database }) => {
    await run({ ...admin, database }, `REASSIGN OWNED BY ${username} TO skipper`, `DROP OWNED BY ${username}`, `DROP ROLE ${username}`);
  },
};

export const postgresDriver: Driver = {
  write: (uri, value) =>
    withPostgres({ connectionString: uri }, async (client) => {
      await client.query('CREATE TABLE IF NOT EXISTS kept (value text)');
      await client.query('INSERT INTO kept VALUES ($1)', [value]);
    }),
  read: (uri) =>
    withPostgres(
      { connectionString: uri },
      async (client) => (await client.query('SELECT value FROM kept')).rows[0]?.value as string | undefined,
    ),
  connectWithoutPassword: (host, port) =>
    withPostgres({ host, port, user: 'skipper', database: 'app', password: '' }, (client) => client.query('SELECT 1')),
  accounts,
};
