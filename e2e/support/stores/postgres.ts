import pg from 'pg';
import type { Place, Store } from './store.ts';

async function connected<T>({ host, port, username, password, database }: Place, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ host, port, user: username, password, database, connectionTimeoutMillis: 60_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export const store: Store = {
  prefix: 'DB',
  part: 'NAME',
  administratorsPart: 'app',
  write: (place, text) =>
    connected(place, async (client) => {
      await client.query('CREATE TABLE IF NOT EXISTS kept (text text)');
      await client.query('DELETE FROM kept');
      await client.query('INSERT INTO kept VALUES ($1)', [text]);
    }),
  read: (place) => connected(place, async (client) => (await client.query('SELECT text FROM kept')).rows[0]?.text as string | undefined),
};
