import { createHmac } from 'node:crypto';
import { administrator, type Accounts, type Grant, type ServiceAccess } from '../engine.ts';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { nativePasswordHash } from './password.ts';
import { identifier, literal } from './quoting.ts';
import { withSession, type Query } from './session.ts';

/** The server's own limits: of MySQL, where they are narrower than MariaDB's. */
const usernameLimit = 32;
/** How long the lock that lets one caller at a time change accounts is waited for, in seconds. */
const lockTimeout = 60;
/** `ER_ACCESS_DENIED_ERROR`: a wrong password. */
const accessDenied = 1045;
/** `ER_NO_SUCH_THREAD`: a session that has ended meanwhile. */
const noSuchSession = 1094;

const names: DatabaseNames = {
  what: 'a database of MySQL',
  limit: 63,
  escapes: true,
  reserved: ['app', 'mysql', 'information_schema', 'performance_schema', 'sys', 'test', administrator],
};

/** An account is a user with all rights on its database and on nothing else. */
export const mysqlAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, grant) {
    requireAppUser(grant.username);
    await alone(access, async (query) => {
      await query(`CREATE DATABASE IF NOT EXISTS ${identifier(grant.database)}`);
      // Who logged in with the password before goes with the user.
      if (await isRefused(access, grant)) await dropAccounts(query, grant.username);
      await setAccount(query, grant);
    });
  },

  verify: (access, { database, username, password }) =>
    withSession(access, { user: username, password, database }, async (query) => {
      await query('SHOW TABLES');
    }),

  async revoke(access, { username }) {
    requireAppUser(username);
    await alone(access, (query) => dropAccounts(query, username));
  },
};

/** Runs `work` as the administrator, while no other caller does. */
function alone(access: ServiceAccess, work: (query: Query) => Promise<void>): Promise<void> {
  const { username: user, password } = access.administrator;
  return withSession(access, { user, password }, async (query) => {
    // Settings of the server that would change what quoted names and strings mean.
    await query("SET SESSION sql_mode = ''");
    const [answer] = await query(`SELECT GET_LOCK(${literal(accountsLock(password))}, ${lockTimeout}) AS locked`);
    if (Number(answer?.['locked']) !== 1) throw new Error('Another change of accounts has not ended yet.');
    await work(query);
  });
}

/** The lock's name: a secret, because every user may hold any lock that it knows the name of. */
const accountsLock = (password: string): string =>
  `skipper_${createHmac('sha256', password).update('accounts').digest('hex').slice(0, 40)}`;

async function isRefused(access: ServiceAccess, { username: user, password }: Grant): Promise<boolean> {
  return withSession(access, { user, password }, async () => false).catch((error: { errno?: number }) => error.errno === accessDenied);
}

async function setAccount(query: Query, { username, password, database }: Grant): Promise<void> {
  const account = `${literal(username)}@'%'`;
  const hosts = await hostsOf(query, username);
  const rights = await ownRights(query, database);
  // Dropping it takes every kind of right: roles, proxies, columns, routines. Only when there is something to take, because the app cannot
  // log in meanwhile.
  if (hosts.length > 0 && !(hosts.length === 1 && (await hasExactly(query, username, rights)))) await dropAccounts(query, username);
  const mariadb = await isMariadb(query);
  const identified = mariadb
    ? `IDENTIFIED VIA mysql_native_password USING ${literal(nativePasswordHash(password))}`
    : `IDENTIFIED WITH caching_sha2_password BY ${literal(password)}`;
  await query(`CREATE USER IF NOT EXISTS ${account} ${identified}`);
  await query(
    `ALTER USER ${account} ${identified} REQUIRE NONE
       WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0
       PASSWORD EXPIRE NEVER ACCOUNT UNLOCK`,
  );
  if (!mariadb) await query(`ALTER USER ${account} DISCARD OLD PASSWORD`);
  await query(`GRANT ALL PRIVILEGES ON ${rights} TO ${account}`);
}

/** The app's database as the object of a GRANT, where "_" and "%" would stand for any characters, unless the server has that off. */
async function ownRights(query: Query, database: string): Promise<string> {
  const [setting] = await query("SHOW VARIABLES LIKE 'partial_revokes'");
  const literally = String(setting?.['Value']).toUpperCase() === 'ON';
  return `${identifier(literally ? database : database.replaceAll(/[_%\\]/g, '\\$&'))}.*`;
}

async function hasExactly(query: Query, username: string, rights: string): Promise<boolean> {
  const rows = await query(`SHOW GRANTS FOR ${literal(username)}@'%'`).catch(() => []);
  const name = `${identifier(username)}@\`%\``;
  const lines = rows.map((row) => String(Object.values(row)[0]).replace(/ IDENTIFIED BY PASSWORD '\*[0-9A-F]+'$/, ''));
  const wanted = new Set([`GRANT USAGE ON *.* TO ${name}`, `GRANT ALL PRIVILEGES ON ${rights} TO ${name}`]);
  return lines.every((line) => wanted.has(line));
}

/** Removes the user, from whatever host it may log in, and ends its sessions. */
async function dropAccounts(query: Query, username: string): Promise<void> {
  for (const host of await hostsOf(query, username)) await query(`DROP USER IF EXISTS ${literal(username)}@${literal(host)}`);
  const sessions = (await query('SHOW PROCESSLIST')).filter((session) => session['User'] === username);
  for (const session of sessions)
    await query(`KILL ${Number(session['Id'])}`).catch((error: { errno?: number }) => {
      if (error.errno !== noSuchSession) throw error;
    });
}

async function hostsOf(query: Query, username: string): Promise<string[]> {
  return (await query(`SELECT Host AS host FROM mysql.user WHERE User = ${literal(username)}`)).map((row) => String(row['host']));
}

async function isMariadb(query: Query): Promise<boolean> {
  const [row] = await query('SELECT VERSION() AS version');
  return /mariadb/i.test(String(row?.['version']));
}

/** @throws for users that no app can have: setting them right would lock everybody out. */
function requireAppUser(username: string): void {
  if ([administrator, 'root', 'mariadb.sys', ''].includes(username) || username.startsWith('mysql.'))
    throw new Error(`The user "${username}" is not an app's.`);
  if (username.length > usernameLimit)
    throw new Error(`"${username}" has ${username.length} characters; a user of MySQL can have at most ${usernameLimit}.`);
}
