import type { Connection } from 'mysql2/promise';
import type { ServiceAccess } from '../engine.ts';

/** A statement's answer. */
export type Query = (text: string, values?: string[]) => Promise<Record<string, unknown>[]>;

export interface Login {
  user: string;
  password: string;
  database?: string;
}

const timeoutMs = 10_000;

/** Runs `work` in a session of its own. */
export async function withSession<T>(access: ServiceAccess, login: Login, work: (query: Query) => Promise<T>): Promise<T> {
  const { createConnection } = await import('mysql2/promise');
  const { host, port } = await access.endpoint('mysql');
  access.signal.throwIfAborted();
  let connection: Connection | undefined;
  const abort = () => connection?.destroy();
  try {
    connection = await createConnection({ host, port, ...login, connectTimeout: timeoutMs }).catch(withoutStatement);
    access.signal.throwIfAborted();
    access.signal.addEventListener('abort', abort);
    connection.on('error', () => undefined);
    const open = connection;
    return await work(async (text, values = []) => {
      const [rows] = await open.query(text, values).catch(withoutStatement);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    });
  } finally {
    access.signal.removeEventListener('abort', abort);
    connection?.destroy();
  }
}

/** The driver's own error carries the statement, secrets included. */
function withoutStatement(error: unknown): never {
  const { message, code, errno } = error as { message: string; code?: string; errno?: number };
  throw Object.assign(new Error(message || code), { code, errno });
}
