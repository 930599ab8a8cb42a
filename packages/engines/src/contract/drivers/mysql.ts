import mysql, { type Connection, type ConnectionOptions } from 'mysql2/promise';
import { refuseUnless, type Account, type AccountsDriver, type Attack, type Driver } from './driver.ts';

async function withMysql<T>(login: string | ConnectionOptions, work: (client: Connection) => Promise<T>): Promise<T> {
  const client = await mysql.createConnection(typeof login === 'string' ? { uri: login } : { connectTimeout: 5_000, ...login });
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

const parts = ({ username, host, port, password, database }: Account): ConnectionOptions => ({
  host,
  port,
  user: username,
  password,
  database,
});

type Rows = Record<string, unknown>[];

const run = (account: Account, ...statements: string[]): Promise<Rows> =>
  withMysql(parts(account), async (client) => {
    let rows: Rows = [];
    for (const statement of statements) rows = (await client.query(statement))[0] as unknown as Rows;
    return rows;
  });

/** An attack that is some statements in the attacker's own database. */
const statements = (name: string, texts: (victim: Account, attacker: Account) => string[]): Attack => ({
  name,
  run: (attacker, victim) => run(attacker, ...texts(victim, attacker)),
});

const seeing = (name: string, text: string, part: (victim: Account) => string): Attack => ({
  name,
  run: async (attacker, victim) => refuseUnless(JSON.stringify(await run(attacker, text)).includes(part(victim))),
});

/** A database as the object of a GRANT. */
const asGranted = (database: string): string => `\`${database.replaceAll('_', '\\_')}\``;

const attacks: Attack[] = [
  { name: 'connects to the database', run: (attacker, { database }) => run({ ...attacker, database }, 'SELECT 1') },
  { name: "connects to the administrator's database", run: (attacker) => run({ ...attacker, database: 'app' }, 'SELECT 1') },
  statements('reads', ({ database }) => [`SELECT value FROM ${database}.kept`]),
  statements('writes', ({ database }) => [`UPDATE ${database}.kept SET value = 'changed'`]),
  statements('lists', ({ database }) => [`SHOW TABLES FROM ${database}`]),
  seeing('sees the database', 'SHOW DATABASES', ({ database }) => database),
  seeing('sees the tables', 'SELECT table_schema FROM information_schema.tables', ({ database }) => database),
  {
    name: 'sees the session',
    run: (attacker, victim) =>
      withMysql(parts(victim), async () => {
        refuseUnless((await run(attacker, 'SHOW PROCESSLIST')).some((session) => session['User'] === victim.username));
      }),
  },
  statements('drops the table', ({ database }) => [`DROP TABLE ${database}.kept`]),
  statements('takes the table', ({ database }, own) => [
    `DROP TABLE IF EXISTS kept`,
    `RENAME TABLE ${database}.kept TO ${own.database}.kept`,
  ]),
  statements('makes a table', ({ database }) => [`CREATE TABLE ${database}.made_by_attack (a int)`]),
  statements('drops the database', ({ database }) => [`DROP DATABASE ${database}`]),
  statements('makes a database', () => ['CREATE DATABASE made_by_attack']),
  statements('makes a database that its own name fits as a pattern', () => ['CREATE DATABASE shopbtest']),
  statements('reads through a view', ({ database }) => [`CREATE OR REPLACE VIEW seen AS SELECT * FROM ${database}.kept`]),
  statements('copies the table', ({ database }) => ['DROP TABLE IF EXISTS copied', `CREATE TABLE copied LIKE ${database}.kept`]),
  statements('acts as the administrator in a procedure', ({ database }) => [
    'DROP PROCEDURE IF EXISTS acting',
    `CREATE DEFINER=\`skipper\`@\`%\` PROCEDURE acting() SQL SECURITY DEFINER SELECT * FROM ${database}.kept`,
    'CALL acting()',
  ]),
  statements('acts as the administrator in a view', () => [
    'CREATE OR REPLACE DEFINER=`skipper`@`%` SQL SECURITY DEFINER VIEW users AS SELECT * FROM mysql.user',
    'SELECT * FROM users',
  ]),
  statements("reads the users' password hashes", () => ['SELECT * FROM mysql.user']),
  statements("looks up the other's rights", ({ username }) => [`SHOW GRANTS FOR '${username}'@'%'`]),
  statements('grants itself the database', ({ database }, { username }) => [`GRANT ALL ON ${database}.* TO '${username}'@'%'`]),
  statements('grants itself everything', (_, { username }) => [`GRANT ALL ON *.* TO '${username}'@'%' WITH GRANT OPTION`]),
  statements('hands its own rights on', ({ username }, { database }) => [`GRANT SELECT ON ${asGranted(database)}.* TO '${username}'@'%'`]),
  statements("sets the other user's password", ({ username }) => [`ALTER USER '${username}'@'%' IDENTIFIED BY 'changed'`]),
  statements("changes the administrator's account", () => ["ALTER USER 'skipper'@'%' ACCOUNT UNLOCK"]),
  statements('drops the other user', ({ username }) => [`DROP USER '${username}'@'%'`]),
  statements('makes a user', () => ["CREATE USER 'made_by_attack'@'%'"]),
  statements('makes a role', () => ['CREATE ROLE made_by_attack_role']),
  statements('changes a setting of the server', () => ['SET GLOBAL max_connections = 151']),
  statements('reads the rights anew', () => ['FLUSH PRIVILEGES']),
  statements('stops every writer', () => ['FLUSH TABLES WITH READ LOCK']),
  {
    name: "ends the other user's session",
    run: (attacker, victim) =>
      withMysql(parts(victim), async (client) => {
        const [rows] = await client.query('SELECT CONNECTION_ID() AS id');
        await run(attacker, `KILL ${(rows as unknown as { id: number }[])[0]!.id}`);
      }),
  },
];

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html */
const refusals = [
  'ER_DBACCESS_DENIED_ERROR',
  'ER_TABLEACCESS_DENIED_ERROR',
  'ER_SPECIFIC_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_ERROR',
  'ER_CANT_CREATE_USER_WITH_GRANT',
  'ER_KILL_DENIED_ERROR',
  'ER_PASSWORD_NO_MATCH',
];

const accounts: AccountsDriver = {
  whoAmI: (by) =>
    withMysql(typeof by === 'string' ? by : parts(by), async (client) => {
      const [rows] = await client.query('SELECT CURRENT_USER() AS name');
      return (rows as unknown as { name: string }[])[0]!.name.replace(/@%$/, '');
    }),
  write: async (account, value) => {
    await run(
      account,
      'CREATE TABLE IF NOT EXISTS kept (value varchar(100))',
      'DELETE FROM kept',
      `INSERT INTO kept VALUES (${mysql.escape(value)})`,
    );
  },
  read: async (account) => (await run(account, 'SELECT value FROM kept'))[0]?.['value'] as string | undefined,
  hold: async (account) => {
    const client = await mysql.createConnection(parts(account));
    const ended = new Promise<void>((resolve) => client.on('error', () => resolve()));
    return () => ended;
  },
  attacks,
  widenings: [
    {
      name: 'all rights',
      apply: (admin, { username }) => run(admin, `GRANT ALL ON *.* TO '${username}'@'%' WITH GRANT OPTION`),
      opens: 'reads',
    },
    {
      name: 'the other database',
      apply: (admin, { username }, { database }) => run(admin, `GRANT SELECT ON ${database}.* TO '${username}'@'%'`),
      opens: 'reads',
    },
    {
      name: 'one column',
      apply: (admin, { username }, { database }) => run(admin, `GRANT SELECT (value) ON ${database}.kept TO '${username}'@'%'`),
      opens: 'reads',
    },
    {
      name: 'its own name as a pattern',
      apply: (admin, { username, database }) => run(admin, `GRANT ALL ON \`${database}\`.* TO '${username}'@'%'`),
      opens: 'reads',
    },
    {
      name: 'the right to pass rights on',
      apply: (admin, { username, database }) => run(admin, `GRANT ALL ON ${asGranted(database)}.* TO '${username}'@'%' WITH GRANT OPTION`),
      opens: 'hands its own rights on',
    },
    {
      name: 'a global right',
      apply: (admin, { username }) => run(admin, `GRANT PROCESS ON *.* TO '${username}'@'%'`),
      opens: 'sees the session',
    },
    {
      name: 'a role that it has by default',
      apply: (admin, { username }, { database }) =>
        run(
          admin,
          'CREATE ROLE IF NOT EXISTS readers',
          `GRANT SELECT ON ${database}.* TO readers`,
          `GRANT readers TO '${username}'@'%'`,
          // MySQL and MariaDB differ here.
          "SET @text = IF(VERSION() LIKE '%MariaDB%', 'SET DEFAULT ROLE readers FOR', 'SET DEFAULT ROLE readers TO')",
          `SET @text = CONCAT(@text, " '${username}'@'%'")`,
          'PREPARE statement FROM @text',
          'EXECUTE statement',
        ),
      opens: 'reads',
    },
  ],
  obstacles: [
    {
      name: 'a lock of the name that everybody could know',
      apply: async (account) => {
        const client = await mysql.createConnection(parts(account));
        client.on('error', () => undefined);
        await client.query("SELECT GET_LOCK('skipper_accounts', 0)");
      },
    },
  ],
  isRefusal: (error) => refusals.includes(String((error as { code?: unknown }).code)),
  drop: async (admin, { username }) => {
    await run(admin, `DROP USER '${username}'@'%'`);
  },
};

export const mysqlDriver: Driver = {
  write: (uri, value) =>
    withMysql(uri, async (client) => {
      await client.query('CREATE TABLE IF NOT EXISTS kept (value varchar(100))');
      await client.query('INSERT INTO kept VALUES (?)', [value]);
    }),
  read: (uri) =>
    withMysql(uri, async (client) => {
      const [rows] = await client.query('SELECT value FROM kept');
      return (rows as unknown as { value: string }[])[0]?.value;
    }),
  connectWithoutPassword: (host, port) =>
    withMysql({ host, port, user: 'skipper', database: 'app', password: '' }, (client) => client.query('SELECT 1')),
  accounts,
};
