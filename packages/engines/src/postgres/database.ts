import type { Client } from 'pg';
import { despiteSessions } from './role.ts';
import { column, id, inTransaction } from './session.ts';

/**
 * Owns what apps leave behind when they are unbound, until the next app takes the database over. It cannot be the administrator:
 * PostgreSQL's own objects are his as well, and could not be told apart when they are handed on.
 */
export const keeper = 'skipper_kept';

const publicSchemaIsTheOwners = 150_000;

/** Makes the database, closed to every role but the administrator. Safe to cut off at any point. */
export async function makeDatabase(client: Client, database: string): Promise<void> {
  const exists = await column(client, 'SELECT datname FROM pg_database WHERE datname = $1', [database]);
  // Every role could connect to a new database at first.
  if (exists.length === 0) await client.query(`CREATE DATABASE ${id(database)} TEMPLATE template0 ALLOW_CONNECTIONS false`);
  await closeDatabases(client);
  await despiteSessions(client, 'datname = $1', [database], () =>
    client.query(`ALTER DATABASE ${id(database)} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`),
  );
}

/** Keeps every role out of the databases that it has no right of its own on: PUBLIC may connect to each unless told otherwise. */
async function closeDatabases(client: Client): Promise<void> {
  const open = await column(
    client,
    `SELECT datname FROM pg_database WHERE datname <> 'template0'
       AND EXISTS (SELECT FROM aclexplode(COALESCE(datacl, acldefault('d', datdba))) WHERE grantee = 0)`,
  );
  for (const database of open)
    await despiteSessions(client, 'datname = $1', [database], () =>
      client.query(`REVOKE ALL ON DATABASE ${id(database)} FROM PUBLIC CASCADE`),
    );
}

/** Databases of the role's besides `database` go to the administrator: an owner may always connect. */
export async function leaveOtherDatabases(client: Client, role: string, database: string): Promise<void> {
  const others = (await databasesOf(client, role)).filter((name) => name !== database);
  for (const other of others) await handOver(client, other, 'CURRENT_USER');
}

/** Gives the database to another owner, closed to all whom the one before has let in. @param owner as statements name it */
async function handOver(client: Client, database: string, owner: string): Promise<void> {
  await client.query(`ALTER DATABASE ${id(database)} OWNER TO ${owner}`);
  const grantees = await column(
    client,
    `SELECT DISTINCT COALESCE(quote_ident(rolname), 'PUBLIC') FROM pg_database CROSS JOIN aclexplode(datacl) a
       LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE datname = $1 AND rolsuper IS NOT TRUE`,
    [database],
  );
  if (grantees.length > 0) await client.query(`REVOKE ALL ON DATABASE ${id(database)} FROM ${grantees.join(', ')} CASCADE`);
}

/**
 * Gives the database that `client` is connected to, and all that the app before left in it, to `role`.
 * @returns whether it was another's before.
 */
export function ownDatabase(client: Client, role: string, database: string): Promise<boolean> {
  return inTransaction(client, async () => {
    const [former] = await column(
      client,
      `SELECT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = $1 AND NOT rolsuper AND rolname <> $2`,
      [database, role],
    );
    for (const owner of [keeper, ...(former === undefined ? [] : [former])]) await reassign(client, owner, role);
    const isAnothers = !(await databasesOf(client, role)).includes(database);
    if (isAnothers) await handOver(client, database, id(role));
    await client.query(`GRANT ALL ON DATABASE ${id(database)} TO ${id(role)}`);
    await ownPublicSchema(client);
    await ownAdministratorsObjects(client, role);
    await revokeSystemFunctions(client, role);
    return isAnothers;
  });
}

/** Hands on what a role owns in this database, but none of its other databases, which `REASSIGN` would take along. */
async function reassign(client: Client, from: string, to: string): Promise<void> {
  const databases = await databasesOf(client, from);
  await client.query(`REASSIGN OWNED BY ${id(from)} TO ${id(to)}`);
  for (const database of databases) await client.query(`ALTER DATABASE ${id(database)} OWNER TO ${id(from)}`);
}

/**
 * What the administrator made or was given in an app's database, by loading a dump or dropping the app's role, say. System schemas and
 * what belongs to an extension stay as they are.
 */
async function ownAdministratorsObjects(client: Client, role: string): Promise<void> {
  const statements = await column(
    client,
    `WITH admins AS (SELECT oid FROM pg_roles WHERE rolsuper),
       schemas AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
       members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
     SELECT 'SCHEMA ' || quote_ident(nspname) FROM schemas
       WHERE nspowner IN (SELECT oid FROM admins) AND ('pg_namespace'::regclass, oid) NOT IN (SELECT * FROM members)
     UNION ALL SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW '
         WHEN 'f' THEN 'FOREIGN TABLE ' ELSE 'TABLE ' END || c.oid::regclass FROM pg_class c
       WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relowner IN (SELECT oid FROM admins)
         AND relnamespace IN (SELECT oid FROM schemas) AND ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM members)
         -- The sequence of a column goes with its table.
         AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
           AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
     UNION ALL SELECT 'TYPE ' || t.oid::regtype FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
       WHERE (typtype IN ('d', 'e', 'r') OR c.relkind = 'c') AND typowner IN (SELECT oid FROM admins)
         AND typnamespace IN (SELECT oid FROM schemas) AND ('pg_type'::regclass, t.oid) NOT IN (SELECT * FROM members)
     UNION ALL SELECT 'ROUTINE ' || p.oid::regprocedure FROM pg_proc p
       WHERE proowner IN (SELECT oid FROM admins) AND pronamespace IN (SELECT oid FROM schemas)
         AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM members)
         -- The functions of a type that is a range go with it.
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
     UNION ALL SELECT 'LARGE OBJECT ' || oid FROM pg_largeobject_metadata WHERE lomowner IN (SELECT oid FROM admins)`,
  );
  for (const object of statements) await client.query(`ALTER ${object} OWNER TO ${id(role)}`);
}

/** As PostgreSQL 15 and later have it from the start; before, the schema is the administrator's and open to all. */
async function ownPublicSchema(client: Client): Promise<void> {
  const [version] = await column(client, "SELECT current_setting('server_version_num')");
  if (Number(version) >= publicSchemaIsTheOwners) return;
  const foreign = await column(
    client,
    `SELECT nspname FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'public' AND rolsuper`,
  );
  if (foreign.length === 0) return;
  await client.query('ALTER SCHEMA public OWNER TO pg_database_owner');
  await client.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
}

/** Functions that read files or the like are closed to everybody at first, and could have been opened to the role by hand. */
async function revokeSystemFunctions(client: Client, role: string): Promise<void> {
  const functions = await column(
    client,
    `SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace
       AND EXISTS (SELECT FROM aclexplode(proacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname = $1)`,
    [role],
  );
  for (const name of functions) await client.query(`REVOKE ALL ON ROUTINE ${name} FROM ${id(role)} CASCADE`);
}

/** Every database in which the role owns something or has a right. */
export function databasesWithTracesOf(client: Client, role: string): Promise<string[]> {
  return column(
    client,
    `SELECT DISTINCT datname FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid JOIN pg_roles r ON r.oid = d.refobjid
       WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = $1`,
    [role],
  );
}

/** Takes from the role what it owns here, for the next app, and every right. */
export function leaveDatabase(client: Client, role: string): Promise<void> {
  return inTransaction(client, async () => {
    const databases = await databasesOf(client, role);
    await client.query(`REASSIGN OWNED BY ${id(role)} TO ${id(keeper)}`);
    for (const database of databases) await handOver(client, database, 'CURRENT_USER');
    // Nothing is the role's any more: this takes its rights alone.
    await client.query(`DROP OWNED BY ${id(role)}`);
  });
}

/** Every database that the role owns. */
export function databasesOf(client: Client, role: string): Promise<string[]> {
  return column(client, 'SELECT datname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE rolname = $1', [role]);
}
