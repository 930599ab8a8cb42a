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

/**
 * For work as the administrator in a database that an app owns: the app can make functions and operators there and change the
 * settings that sessions start with, and must not get the administrator to run or to mind any of it.
 */
export const administratorOptions = Object.entries({
  search_path: 'pg_catalog',
  role: 'none',
  default_transaction_read_only: 'off',
  statement_timeout: queryTimeoutMs,
  lock_timeout: connectTimeoutMs,
})
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

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

export function asAdministrator<T>(access: ServiceAccess, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { username: user, password } = access.administrator;
  return withSession(access, { user, password, database, options: administratorOptions }, work);
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
