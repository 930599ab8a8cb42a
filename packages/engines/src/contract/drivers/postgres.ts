import pg from 'pg';
import type { Driver } from './driver.ts';

export const postgresDriver: Driver = {
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
};

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
