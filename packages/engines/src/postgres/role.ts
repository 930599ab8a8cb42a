import type { Client } from 'pg';
import { column, id } from './session.ts';
import { saltOf, scramVerifier } from './scram.ts';

/** Versions as `server_version_num` has them. */
const parametersHaveRights = 150_000;
const grantsKeepTheirGrantor = 160_000;

/** `lock_not_available`; and `internal_error`, when what was waited for has been changed. */
const heldCodes = ['55P03', 'XX000'];

export async function roleExists(client: Client, role: string): Promise<boolean> {
  return (await column(client, 'SELECT rolname FROM pg_roles WHERE rolname = $1', [role])).length > 0;
}

/** Makes the role or sets it right: it can log in with this password, is no one else, and may do nothing outside `database`. */
export async function setRole(client: Client, role: string, password: string, database: string): Promise<void> {
  if (!(await roleExists(client, role))) await client.query(`CREATE ROLE ${id(role)}`);
  // Who logged in with the password before stays connected otherwise.
  if (!(await hasPassword(client, role, password))) await shutOut(client, role);
  const wasWidened = await isWidened(client, role);
  await despiteSessions(client, 'usename = $1', [role], () =>
    client.query(
      `ALTER ROLE ${id(role)} WITH LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
         CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD '${scramVerifier(password)}'`,
    ),
  );
  await leaveOtherRoles(client, role);
  await revokeSharedRights(client, role, database);
  // A session keeps what it became while it was allowed to.
  await endSessions(client, wasWidened ? 'usename = $1' : 'usename = $1 AND datname <> $2', wasWidened ? [role] : [role, database]);
}

async function hasPassword(client: Client, role: string, password: string): Promise<boolean> {
  const [verifier] = await column(client, 'SELECT rolpassword FROM pg_authid WHERE rolname = $1', [role]);
  return verifier === scramVerifier(password, saltOf(verifier));
}

/** Ends the role's sessions and lets it log in no more. */
export async function shutOut(client: Client, role: string): Promise<void> {
  const end = () => endSessions(client, 'usename = $1', [role]);
  // A change of its own password that it does not commit would be waited for.
  await end();
  await despiteSessions(client, 'usename = $1', [role], () => client.query(`ALTER ROLE ${id(role)} NOLOGIN PASSWORD NULL`));
  await end();
}

async function isWidened(client: Client, role: string): Promise<boolean> {
  const widened = await column(
    client,
    `SELECT rolname FROM pg_roles r WHERE rolname = $1 AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
       OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid))`,
    [role],
  );
  return widened.length > 0;
}

async function leaveOtherRoles(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<{ other: string; grantor: string | null }>(
    `SELECT o.rolname AS other, g.rolname AS grantor FROM pg_auth_members m
       JOIN pg_roles me ON me.oid = m.member JOIN pg_roles o ON o.oid = m.roleid LEFT JOIN pg_roles g ON g.oid = m.grantor
       WHERE me.rolname = $1`,
    [role],
  );
  const byGrantor = (await serverVersion(client)) >= grantsKeepTheirGrantor;
  for (const { other, grantor } of rows)
    await client.query(`REVOKE ${id(other)} FROM ${id(role)} ${byGrantor && grantor ? `GRANTED BY ${id(grantor)}` : ''} CASCADE`);
}

/** Takes away what the role was granted of databases other than `database`, and of what all databases share. */
export async function revokeSharedRights(client: Client, role: string, database?: string): Promise<void> {
  const granted = (name: string, catalog: string, acl: string) =>
    column(
      client,
      `SELECT ${name} FROM ${catalog} WHERE EXISTS
         (SELECT FROM aclexplode(${acl}) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname = $1)`,
      [role],
    );
  const revoke = async (kind: string, names: string[]) => {
    for (const name of names) await client.query(`REVOKE ALL ON ${kind} ${id(name)} FROM ${id(role)} CASCADE`);
  };
  const databases = await granted('datname', 'pg_database', 'datacl');
  for (const other of databases.filter((name) => name !== database))
    await despiteSessions(client, 'datname = $1', [other], () => revoke('DATABASE', [other]));
  await revoke('TABLESPACE', await granted('spcname', 'pg_tablespace', 'spcacl'));
  if ((await serverVersion(client)) >= parametersHaveRights)
    await revoke('PARAMETER', await granted('parname', 'pg_parameter_acl', 'paracl'));
}

/** Ends the sessions that a condition on `pg_stat_activity` names. */
export async function endSessions(client: Client, condition: string, values: unknown[]): Promise<void> {
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${condition}`, values);
}

/** Does what an app can keep waiting by a transaction without an end: then the sessions that the condition names are ended. */
export async function despiteSessions<T>(client: Client, condition: string, values: unknown[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!heldCodes.includes(String((error as { code?: unknown }).code))) throw error;
    await endSessions(client, condition, values);
    return work();
  }
}

async function serverVersion(client: Client): Promise<number> {
  return Number((await column(client, "SELECT current_setting('server_version_num')"))[0]);
}
