import { MongoClient, type Collection } from 'mongodb';
import type { Place, Store } from './store.ts';

interface Kept {
  _id: string;
  text: string;
}

/** An app's account lives in its own database, the administrator's in `admin`. */
const accountsOf = ({ username, database }: Place): string => (username === 'skipper' ? 'admin' : database);

async function connected<T>(place: Place, work: (kept: Collection<Kept>) => Promise<T>): Promise<T> {
  const { host, port, username, password, database } = place;
  const client = new MongoClient(`mongodb://${host}:${port}/`, {
    auth: { username, password },
    authSource: accountsOf(place),
    directConnection: true,
    serverSelectionTimeoutMS: 60_000,
  });
  try {
    return await work(client.db(database).collection<Kept>('kept'));
  } finally {
    await client.close();
  }
}

export const store: Store = {
  prefix: 'DB',
  part: 'NAME',
  administratorsPart: 'app',
  write: (place, text) =>
    connected(place, async (kept) => {
      await kept.replaceOne({ _id: 'one' }, { text }, { upsert: true });
    }),
  read: (place) => connected(place, async (kept) => (await kept.findOne({ _id: 'one' }))?.text),
};
