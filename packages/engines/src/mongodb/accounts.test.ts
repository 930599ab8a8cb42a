import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { MongoClient, type Document } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Grant, ServiceAccess } from '../engine.ts';
import { mongodbAccounts as accounts } from './accounts.ts';
import { mongodb } from './definition.ts';
import { helloMongodb } from './hello.ts';
import { placeMongod } from './programs.fixture.ts';

// The server here answers as MongoDB documents it. What only MongoDB itself can say is not shown: that its roles mean what they say.

const alpha: Grant = { database: 'alpha_test', username: 'alpha-db', password: 'alpha0123456789' };
const beta: Grant = { database: 'beta_test', username: 'beta-db', password: 'beta0123456789' };
const host = `127.70.${process.pid % 250}.${(process.pid >> 8) % 250 || 1}`;
const port = 27_017;
const access: ServiceAccess = {
  administrator: { username: 'skipper', password: 'p@ss/w:rd?#%' },
  endpoint: async () => ({ host, port }),
  signal: AbortSignal.timeout(600_000),
};

let folder: string;
let server: ChildProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skipper-mongodb-accounts-'));
  await placeMongod(folder);
  const file = join(folder, 'mongodb-8.0.32', 'bin', 'mongod');
  server = spawn(file, ['--dbpath', folder, '--bind_ip', host, '--port', String(port)], { stdio: 'inherit' });
  while ((await helloMongodb(host, port, AbortSignal.timeout(5_000))) !== 'accepting')
    await new Promise((resolve) => setTimeout(resolve, 50));
  const first = new MongoClient(`mongodb://${host}:${port}`, { directConnection: true });
  const { username, password } = access.administrator;
  await first.db('admin').command({ createUser: username, pwd: password, roles: ['root'] });
  await first.close();
  await accounts.grant(access, alpha);
  await accounts.grant(access, beta);
});
afterAll(async () => {
  server?.kill();
  await rm(folder, { recursive: true, force: true });
});

describe('accounts on MongoDB', () => {
  it('write and read in their own database, again after a second grant, and leave nothing when they are verified', async () => {
    for (const grant of [alpha, beta]) await accounts.verify(access, grant);
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
    expect(await as(alpha, (client) => client.db().listCollections().toArray())).toEqual([]);
  });

  it('are not let in with another password or to another database', async () => {
    await expect(accounts.verify(access, { ...alpha, password: 'wrong' })).rejects.toThrow(
      'User "alpha-db" does not reach database "alpha_test" of MongoDB: Authentication failed.',
    );
    await expect(accounts.verify(access, { ...alpha, database: beta.database })).rejects.toThrow('Authentication failed');
  });

  it.each<[string, (client: MongoClient) => Promise<unknown>]>([
    ['read', (client) => client.db(beta.database).collection('kept').findOne()],
    ['write', (client) => client.db(beta.database).collection('kept').insertOne({ stolen: true })],
    ['list', (client) => client.db(beta.database).listCollections().toArray()],
    ['drop', (client) => client.db(beta.database).collection('kept').drop()],
    ['make users', (client) => client.db(beta.database).command({ createUser: 'spy', pwd: 'x', roles: ['readWrite'] })],
    ['change users', (client) => client.db(beta.database).command({ updateUser: beta.username, pwd: 'x' })],
    [
      'get more rights',
      (client) => client.db().command({ grantRolesToUser: alpha.username, roles: [{ role: 'readWrite', db: beta.database }] }),
    ],
    ['end others', (client) => client.db().command({ dropUser: beta.username })],
  ])('are kept from the other database: %s', async (_, attack) => {
    await expect(as(alpha, attack)).rejects.toMatchObject({ code: 13 });
  });

  it('get exactly their roles back when those were widened by hand, and their password', async () => {
    await asAdministrator({ grantRolesToUser: alpha.username, roles: [{ role: 'readWrite', db: beta.database }] });
    await asAdministrator({ updateUser: alpha.username, pwd: 'another' });
    const reading = (client: MongoClient) => client.db(beta.database).collection('kept').findOne();
    await as({ ...alpha, password: 'another' }, reading);
    await accounts.grant(access, alpha);
    await expect(as(alpha, reading)).rejects.toMatchObject({ code: 13 });
    await accounts.verify(access, alpha);
  });

  it('are found wanting when they were narrowed by hand, and set right by a grant', async () => {
    await asAdministrator({ updateUser: alpha.username, roles: [] });
    await expect(accounts.verify(access, alpha)).rejects.toThrow('not authorized');
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
  });

  it('come back when they were dropped by hand', async () => {
    await asAdministrator({ dropUser: alpha.username });
    await expect(accounts.verify(access, alpha)).rejects.toThrow('Authentication failed');
    await accounts.grant(access, alpha);
    await accounts.verify(access, alpha);
  });

  it('end with their rights in open sessions when they are revoked, and their documents stay', async () => {
    await as(beta, async (client) => {
      await client.db().collection<{ _id: string }>('kept').insertOne({ _id: 'kept' });
      await accounts.revoke(access, beta);
      await expect(client.db().collection('kept').findOne()).rejects.toMatchObject({ code: 13 });
    });
    await expect(accounts.verify(access, beta)).rejects.toThrow('Authentication failed');
    await accounts.revoke(access, beta);
    await accounts.grant(access, { ...beta, password: 'new' });
    expect(await as({ ...beta, password: 'new' }, (client) => client.db().collection('kept').findOne())).toEqual({ _id: 'kept' });
  });

  it('cannot be the administrator, or have what is MongoDB’s own', async () => {
    await expect(accounts.grant(access, { ...alpha, username: 'skipper' })).rejects.toThrow('not an app');
    await expect(accounts.revoke(access, { database: alpha.database, username: 'skipper' })).rejects.toThrow('not an app');
    for (const database of ['admin', 'config', 'local', 'app', 'a.b', 'A', '$x', 'a/b', '', 'x'.repeat(64)]) {
      expect(accounts.refusesDatabase(database)).toBeTruthy();
      await expect(accounts.grant(access, { ...alpha, database })).rejects.toThrow();
    }
  });

  it('log in by URI with every password', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }), async (password) => {
        await accounts.grant(access, { ...alpha, password });
        await accounts.verify(access, { ...alpha, password });
        await as({ ...alpha, password }, (client) => client.db().collection('kept').findOne());
      }),
      { numRuns: 10 },
    );
    await accounts.grant(access, alpha);
  });

  it('stop waiting when they are told to', async () => {
    const signal = AbortSignal.abort(new Error('no longer'));
    await expect(accounts.grant({ ...access, signal }, alpha)).rejects.toThrow('no longer');
    await expect(accounts.verify({ ...access, signal }, alpha)).rejects.toThrow('no longer');
  });
});

async function as<T>(grant: Grant, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(mongodb.uri({ host, port, ...grant }), { directConnection: true });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

const asAdministrator = (command: Document): Promise<Document> =>
  as({ database: 'app', ...access.administrator }, (client) => client.db(alpha.database).command(command));
