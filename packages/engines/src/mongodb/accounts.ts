import { randomUUID } from 'node:crypto';
import type { Db } from 'mongodb';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { administrator, type Accounts, type ServiceAccess } from '../engine.ts';
import { errorCodes, hasServerCode, withSession } from './session.ts';
import { defaultDatabase } from './uri.ts';

const names: DatabaseNames = {
  what: 'a database of MongoDB',
  limit: 63,
  reserved: ['admin', 'config', 'local', defaultDatabase, administrator],
};

/** Where an account is tried out; never there for long. */
const trialCollection = 'skipper_verification';

/** An account is a user that was made in its database and has roles there and nowhere else. */
export const mongodbAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, { database, username, password }) {
    requireAppUser(username, database);
    const user = {
      pwd: password,
      // All there are: an update takes away what is not among them.
      roles: ['readWrite', 'dbAdmin'].map((role) => ({ role, db: database })),
      authenticationRestrictions: [],
    };
    await asAdministrator(access, database, async (db) => {
      try {
        await db.command({ createUser: username, ...user });
      } catch (error) {
        if (!hasServerCode(error, errorCodes.userExists)) throw error;
        await db.command({ updateUser: username, ...user });
      }
    });
  },

  async verify(access, { database, username, password }) {
    await withSession(access, { username, password, source: database }, (client) => tryOut(client.db(database))).catch((error: Error) => {
      throw new Error(`User "${username}" does not reach database "${database}" of MongoDB: ${error.message}`, { cause: error });
    });
  },

  async revoke(access, { username, database }) {
    requireAppUser(username, database);
    await asAdministrator(access, database, async (db) => {
      await tolerating(errorCodes.userNotFound, () => db.command({ dropUser: username }));
      // A dropped user is refused whatever it asks from now on; this ends what it has asked before. Some hosted servers do not have it.
      await tolerating(errorCodes.commandNotFound, () => db.command({ killAllSessions: [{ user: username, db: database }] }));
    });
  },
};

/** Uses the rights to write, read, list and drop, and leaves nothing. */
async function tryOut(db: Db): Promise<void> {
  const collection = db.collection<{ _id: string }>(trialCollection);
  const _id = randomUUID();
  try {
    await collection.insertOne({ _id });
    if (!(await collection.findOne({ _id }))) throw new Error(`Database "${db.databaseName}" did not give back a document.`);
    await db.listCollections({}, { nameOnly: true }).toArray();
  } finally {
    await tolerating(errorCodes.namespaceNotFound, () => collection.drop());
  }
}

function asAdministrator(access: ServiceAccess, database: string, work: (db: Db) => Promise<void>): Promise<void> {
  return withSession(access, { ...access.administrator, source: 'admin' }, (client) => work(client.db(database)));
}

async function tolerating(code: number, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!hasServerCode(error, code)) throw error;
  }
}

/** @throws for users and databases that no app can have. */
function requireAppUser(username: string, database: string): void {
  if (username === administrator) throw new Error(`The user "${username}" is not an app's.`);
  const reason = refusesDatabaseName(database, names);
  if (reason) throw new Error(reason);
}
