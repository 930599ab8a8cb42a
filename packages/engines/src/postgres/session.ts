import { Socket } from 'node:net';
import type { Client } from 'pg';
import type { ServiceAccess } from '../engine.ts';

export interface Login {
  user: string;
  password: string;
  database: string;
  /** Settings of the session, which no setting of the database or the role overrides. */
  options?: string;
}

const connectTimeoutMs = 10_000;
const queryTimeoutMs = 60_000;

/** The first version, as `server_version_num` has it, that knows `transaction_timeout`; older ones take no session that names it. */
const transactionTimeoutSince = 170_000;

/**
 * For work as the administrator in a database that an app owns: the app can make functions and operators there and change the
 * settings that sessions start with, and must not get the administrator to run or to mind any of it.
 */
function administratorOptions(serverVersion: number): string {
  const settings = {
    search_path: 'pg_catalog',
    role: 'none',
    local_preload_libraries: '',
    default_transaction_read_only: 'off',
    statement_timeout: queryTimeoutMs,
    lock_timeout: connectTimeoutMs,
    idle_in_transaction_session_timeout: 0,
    idle_session_timeout: 0,
    ...(serverVersion >= transactionTimeoutSince ? { transaction_timeout: 0 } : {}),
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** Runs `work` in a session of its own. */
export async function withSession<T>(access: ServiceAccess, login: Login, work: (client: Client) => Promise<T>): Promise<T> {
  const { default: pg } = await import('pg');
  const { host, port } = await access.endpoint('postgres');
  access.signal.throwIfAborted();
  const socket = new Socket();
  const client = new pg.Client({
    host,
    port,
    ...login,
    stream: () => socket,
    ssl: false,
    application_name: 'skipper',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
  });
  // A session that the server ends fails the query that is under way; without a listener it would end this process as well.
  client.on('error', () => undefined);
  const abort = () => socket.destroy(access.signal.reason instanceof Error ? access.signal.reason : undefined);
  access.signal.addEventListener('abort', abort);
  try {
    await client.connect();
    return await work(client);
  } finally {
    access.signal.removeEventListener('abort', abort);
    await client.end().catch(() => undefined);
  }
}

/** Where the administrator works on what all databases share, and no app has a say. */
const maintenanceDatabase = 'postgres';

/** A session of the administrator's in a database that no app owns. */
export function asAdministrator<T>(access: ServiceAccess, work: (client: Client) => Promise<T>): Promise<T> {
  const { username: user, password } = access.administrator;
  return withSession(access, { user, password, database: maintenanceDatabase, options: administratorOptions(0) }, work);
}

/** Another one, in a database that an app may own. @param client of {@link asAdministrator} */
export async function asAdministratorIn<T>(
  client: Client,
  access: ServiceAccess,
  database: string,
  work: (inside: Client) => Promise<T>,
): Promise<T> {
  const { username: user, password } = access.administrator;
  const [version] = await column(client, 'SHOW server_version_num');
  return withSession(access, { user, password, database, options: administratorOptions(Number(version)) }, work);
}

export async function inTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The first column of a query's answer. */
export async function column(client: Client, text: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await client.query<[string]>({ text, values, rowMode: 'array' });
  return rows.map(([value]) => value);
}

/** An identifier, quoted by the engine's rules. */
export const id = (name: string): string => `"${name.replaceAll('"', '""')}"`;
