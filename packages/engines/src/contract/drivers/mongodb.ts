import { MongoClient } from 'mongodb';
import { findMongod } from '../../mongodb/programs.ts';
import type { Driver } from './driver.ts';

const options = { directConnection: true, serverSelectionTimeoutMS: 5_000 };

export const mongodbDriver: Driver = {
  mayBeAbsent: {
    because: 'no package registry carries it',
    isHere: async (enginesDir) => (await findMongod(enginesDir)) !== undefined,
  },
  write: (uri, value) =>
    withMongodb(uri, async (client) => {
      await client.db().collection('kept').insertOne({ value });
    }),
  read: (uri) => withMongodb(uri, async (client) => (await client.db().collection('kept').findOne())?.['value'] as string | undefined),
  connectWithoutPassword: (host, port) =>
    withMongodb(`mongodb://${host}:${port}/app`, (client) => client.db().collection('kept').findOne()),
};

async function withMongodb<T>(uri: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, options);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
