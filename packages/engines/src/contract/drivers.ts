import { Redis } from 'ioredis';
import pg from 'pg';
import type { ServiceType } from '@skipper/api';

/** What a contract needs of an engine's clients, by the driver that its users would take. */
export interface Driver {
  write(uri: string, value: string): Promise<void>;
  read(uri: string): Promise<string | undefined>;
  /** Connects without a password. Must fail. */
  connectWithoutPassword(host: string, port: number): Promise<unknown>;
}

async function withPostgres<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionTimeoutMillis: 5_000, ...config });
  // A server that stops ends its connections with an error of their own.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function withRedis<T>(make: () => Redis, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = make();
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

const redisOptions = { retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: 5_000 };

export const drivers: Partial<Record<ServiceType, Driver>> = {
  postgres: {
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
  },
  redis: {
    write: (uri, value) =>
      withRedis(
        () => new Redis(uri, redisOptions),
        async (client) => {
          await client.set('kept', value);
        },
      ),
    read: (uri) =>
      withRedis(
        () => new Redis(uri, redisOptions),
        async (client) => (await client.get('kept')) ?? undefined,
      ),
    connectWithoutPassword: (host, port) =>
      withRedis(
        () => new Redis({ host, port, ...redisOptions }),
        (client) => client.get('kept'),
      ),
  },
};
