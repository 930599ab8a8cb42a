import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Place, Store } from './store.ts';

async function connected<T>({ host, port, username, password, database }: Place, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await createConnection({ host, port, user: username, password, database, connectTimeout: 60_000 });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

export const store: Store = {
  prefix: 'DB',
  part: 'NAME',
  administratorsPart: 'app',
  write: (place, text) =>
    connected(place, async (connection) => {
      await connection.query('CREATE TABLE IF NOT EXISTS kept (text varchar(200))');
      await connection.query('DELETE FROM kept');
      await connection.query('INSERT INTO kept VALUES (?)', [text]);
    }),
  read: (place) =>
    connected(place, async (connection) => {
      const [rows] = await connection.query<RowDataPacket[]>('SELECT text FROM kept');
      return rows[0]?.['text'] as string | undefined;
    }),
};
