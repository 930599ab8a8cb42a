import { Redis } from 'ioredis';
import type { Driver } from './driver.ts';

const options = { retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: 5_000 };

export const redisDriver: Driver = {
  write: (uri, value) =>
    withRedis(
      () => new Redis(uri, options),
      async (client) => {
        await client.set('kept', value);
      },
    ),
  read: (uri) =>
    withRedis(
      () => new Redis(uri, options),
      async (client) => (await client.get('kept')) ?? undefined,
    ),
  connectWithoutPassword: (host, port) =>
    withRedis(
      () => new Redis({ host, port, ...options }),
      (client) => client.get('kept'),
    ),
};

async function withRedis<T>(make: () => Redis, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = make();
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
