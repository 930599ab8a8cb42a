import { Redis } from 'ioredis';
import type { Place, Store } from './store.ts';

async function connected<T>({ host, port, username, password }: Place, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host,
    port,
    username,
    password,
    lazyConnect: true,
    connectTimeout: 60_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

export const store: Store = {
  prefix: 'REDIS',
  part: 'KEY_PREFIX',
  administratorsPart: 'administrator:',
  write: (place, text) =>
    connected(place, async (client) => {
      await client.set(`${place.database}kept`, text);
    }),
  read: (place) => connected(place, async (client) => (await client.get(`${place.database}kept`)) ?? undefined),
};
