import type { MongoClient } from 'mongodb';
import type { ServiceAccess } from '../engine.ts';

export interface Login {
  username: string;
  password: string;
  /** The database the account was made in. */
  source: string;
}

const timeoutMs = 15_000;
/** A service that is there answers at once. */
const connectTimeoutMs = 5_000;

/** Runs `work` with a connection to a service, and ends it. Aborting `access.signal` ends it at once. */
export async function withSession<T>(
  { endpoint, signal }: Pick<ServiceAccess, 'endpoint' | 'signal'>,
  { username, password, source }: Login,
  work: (client: MongoClient) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const { host, port } = await endpoint('mongodb');
  const { MongoClient: Client } = await import('mongodb');
  signal.throwIfAborted();
  const client = new Client(`mongodb://${host.includes(':') ? `[${host}]` : host}:${port}`, {
    auth: { username, password },
    authSource: source,
    // The server is reached by another address than it knows of itself.
    directConnection: true,
    maxPoolSize: 1,
    serverSelectionTimeoutMS: connectTimeoutMs,
    connectTimeoutMS: connectTimeoutMs,
    socketTimeoutMS: timeoutMs,
    appName: 'skipper',
  });
  const onAbort = () => void client.close().catch(() => undefined);
  signal.addEventListener('abort', onAbort);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await client.close().catch(() => undefined);
  }
}

/** What a server's answer is known by. https://www.mongodb.com/docs/manual/reference/error-codes/ */
export const errorCodes = { userNotFound: 11, namespaceNotFound: 26, commandNotFound: 59, userExists: 51_003 };

export function hasServerCode(error: unknown, code: number): boolean {
  return (error as { code?: unknown } | undefined)?.code === code;
}
