import type { Client } from 'pg';
import { administrator, type Accounts, type ServiceAccess } from '../engine.ts';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { databasesOf, databasesWithTracesOf, keeper, leaveDatabase, leaveOtherDatabases, makeDatabase, ownDatabase } from './database.ts';
import { despiteSessions, endSessions, revokeSharedRights, roleExists, setRole, shutOut } from './role.ts';
import { asAdministrator, asAdministratorIn, column, id, withSession } from './session.ts';

/** Any number: the key of the lock that lets one caller at a time change rights, which PostgreSQL would refuse to do side by side. */
const accountsLock = 5_479_274;

/** Sessions of those whom an app can have let in. */
const isAnApps = 'usesysid IN (SELECT oid FROM pg_roles WHERE NOT rolsuper)';
/** Whoever is about to give the role a right. */
const holdingRole = `pid IN (SELECT pid FROM pg_locks l JOIN pg_roles r ON r.oid = l.objid
  WHERE l.classid = 'pg_authid'::regclass AND rolname = $1)`;

const names: DatabaseNames = {
  what: 'a database of PostgreSQL',
  limit: 63,
  reserved: ['app', 'postgres', 'template0', 'template1', administrator, keeper],
};

/** An account is a role that owns its database and may connect to no other. */
export const postgresAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, { database, username, password }) {
    requireAppRole(username);
    await alone(access, async (client) => {
      if (!(await roleExists(client, keeper))) await client.query(`CREATE ROLE ${id(keeper)}`);
      await makeDatabase(client, database);
      await leaveOtherDatabases(client, username, database);
      await setRole(client, username, password, database);
      const ofOthers = `datname = $1 AND usename <> $2 AND ${isAnApps}`;
      const wasAnothers = await despiteSessions(client, ofOthers, [database, username], () =>
        asAdministratorIn(client, access, database, (inside) => ownDatabase(inside, username, database)),
      );
      if (wasAnothers) await endSessions(client, ofOthers, [database, username]);
    });
  },

  async verify(access, { database, username, password }) {
    const login = { user: username, password, database, options: '-c search_path=pg_catalog' };
    await withSession(access, login, async (client) => {
      const [owner] = await column(
        client,
        'SELECT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = current_database()',
      );
      if (owner !== username) throw new Error(`Database "${database}" does not belong to the role "${username}".`);
      // Every role may connect to what the administrator has made since. Whom another app lets in is its own affair.
      const [open] = await column(
        client,
        `SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = datdba
           WHERE rolsuper AND datallowconn AND has_database_privilege(d.oid, 'CONNECT')`,
      );
      if (open !== undefined) throw new Error(`The role "${username}" may connect to the database "${open}", which is not its own.`);
    });
  },

  async revoke(access, { username }) {
    requireAppRole(username);
    await alone(access, async (client) => {
      if (!(await roleExists(client, username))) return;
      if (!(await roleExists(client, keeper))) await client.query(`CREATE ROLE ${id(keeper)}`);
      await shutOut(client, username);
      const databases = await databasesOf(client, username);
      await revokeSharedRights(client, username);
      for (const database of await databasesWithTracesOf(client, username))
        await despiteSessions(client, 'datname = $1', [database], async () => {
          // Its owner may have closed it to everybody.
          await client.query(`ALTER DATABASE ${id(database)} ALLOW_CONNECTIONS true`);
          await asAdministratorIn(client, access, database, (inside) => leaveDatabase(inside, username));
        });
      await leaveDatabase(client, username);
      await endSessions(client, `datname = ANY ($1) AND ${isAnApps}`, [databases]);
      await despiteSessions(client, holdingRole, [username], () => client.query(`DROP ROLE ${id(username)}`));
    });
  },
};

/** Runs `work` as the administrator, while no other caller does. */
function alone(access: ServiceAccess, work: (client: Client) => Promise<void>): Promise<void> {
  return asAdministrator(access, async (client) => {
    // Waits for as long as a caller before may take; the session's end lets go of it.
    await client.query('SET lock_timeout = 0');
    await client.query('SELECT pg_advisory_lock($1)', [accountsLock]);
    await client.query('RESET lock_timeout');
    await work(client);
  });
}

/** @throws for roles that no app can have: setting them right would lock everybody out. */
function requireAppRole(username: string): void {
  if ([administrator, keeper, 'postgres'].includes(username) || username.startsWith('pg_'))
    throw new Error(`The role "${username}" is not an app's.`);
}
