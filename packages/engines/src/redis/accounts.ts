import { createHash } from 'node:crypto';
import { administrator, type Accounts } from '../engine.ts';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { commandsForApps, pairs } from './commands.ts';
import { withSession } from './session.ts';

/** Redis has no databases with rights of their own: an app's part is the keys and channels whose names begin so. */
export const keyPrefix = (database: string): string => `${database}:`;

const names: DatabaseNames = { what: 'a prefix of keys', limit: 63, reserved: [administrator] };

/** An account is an ACL user, kept in the server's file of accounts. https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ */
export const redisAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, { database, username, password }) {
    requireAppUser(username);
    const hash = createHash('sha256').update(password).digest('hex');
    const prefix = keyPrefix(database);
    await withSession(access, access.administrator, async (call) => {
      const known = (await call('ACL', 'GETUSER', username)) as unknown[] | null;
      // Who logged in with the password before goes with the account.
      if (known && !(pairs(known).get('passwords') as string[]).includes(hash)) await call('ACL', 'DELUSER', username);
      const commands = commandsForApps(await call('COMMAND')).map((name) => `+${name}`);
      // All of it or nothing: the rules take effect together, for open connections as well.
      await call('ACL', 'SETUSER', username, 'reset', 'on', `#${hash}`, `~${prefix}*`, `&${prefix}*`, '-@all', ...commands);
      await call('ACL', 'SAVE');
    });
  },

  verify: (access, { database, username, password }) =>
    withSession(access, { username, password }, async (call) => {
      await call('EXISTS', keyPrefix(database));
    }),

  async revoke(access, { username }) {
    requireAppUser(username);
    await withSession(access, access.administrator, async (call) => {
      await call('ACL', 'DELUSER', username);
      await call('ACL', 'SAVE');
    });
  },
};

/** @throws for accounts that no app can have: setting them right would lock everybody out. */
function requireAppUser(username: string): void {
  if (username === administrator || username === 'default') throw new Error(`The account "${username}" is not an app's.`);
  if (!/^[\w.-]+$/.test(username)) throw new Error(`"${username}" cannot name an account of Redis.`);
}
