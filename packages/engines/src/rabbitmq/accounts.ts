import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultDatabaseName, refusesDatabaseName, type DatabaseNames } from '../database-names.ts';
import { administrator, type Accounts, type Grant } from '../engine.ts';
import { management, type Management } from './management.ts';

/** "/" is the administrator's own, and no such name. */
const names: DatabaseNames = { what: 'a virtual host of RabbitMQ', limit: 63, reserved: [administrator] };
const connectTimeoutMs = 10_000;
const endTries = 5;
const endAgainMs = 200;

/** An account is a user without tags, which keeps it out of the management API, with permissions on its own virtual host alone. */
export const rabbitmqAccounts: Accounts = {
  defaultDatabase: (name) => defaultDatabaseName(name, names),
  refusesDatabase: (name) => refusesDatabaseName(name, names),

  async grant(access, { database, username, password }) {
    requireAppUser(username);
    const api = await management(access);
    await api.put(['vhosts', database], {});
    // The administrator sees into every part, and RabbitMQ gives it the right only on hosts that it made itself.
    await api.put(['permissions', database, access.administrator.username], everything);
    const known = await api.get<{ password_hash?: string }>(['users', username]);
    // Who logged in with the password before goes with the user.
    if (known && !isHashOf(password, known.password_hash ?? '')) await removeUser(api, username);
    await api.put(['users', username], { password, tags: '' });
    await dropStrayRights(api, username, database);
    await api.put(['permissions', database, username], everything);
  },

  async verify(access, grant) {
    const server = await access.endpoint('amqp');
    await reach(server, grant, access.signal).catch((error: Error) => {
      throw new Error(`User "${grant.username}" does not reach virtual host "${grant.database}" of RabbitMQ: ${error.message}`, {
        cause: error,
      });
    });
  },

  async revoke(access, { username }) {
    requireAppUser(username);
    await removeUser(await management(access), username);
  },
};

const everything = { configure: '.*', write: '.*', read: '.*' };

/** Four bytes of salt, and the hash by the server's default algorithm. https://www.rabbitmq.com/docs/passwords */
function isHashOf(password: string, passwordHash: string): boolean {
  const salted = Buffer.from(passwordHash, 'base64');
  const hash = createHash('sha256').update(salted.subarray(0, 4)).update(password).digest();
  return hash.equals(salted.subarray(4));
}

async function removeUser(api: Management, username: string): Promise<void> {
  await api.delete(['users', username]);
  // The server ends the sessions of a user that it deletes; those that it counts as nobody's already are ended here.
  await endSessions(api, username);
}

/** Whatever the user has beyond its own virtual host, and what narrows it there. */
async function dropStrayRights(api: Management, username: string, database: string): Promise<void> {
  const permissions = (await api.get<{ vhost: string }[]>(['users', username, 'permissions'])) ?? [];
  const strays = new Set(permissions.map(({ vhost }) => vhost).filter((vhost) => vhost !== database));
  for (const vhost of strays) await api.delete(['permissions', vhost, username]);
  const topics = (await api.get<{ vhost: string }[]>(['users', username, 'topic-permissions'])) ?? [];
  for (const { vhost } of topics) await api.delete(['topic-permissions', vhost, username]);
  const limits = (await api.get<{ value: Record<string, number> | [] }[]>(['user-limits', username])) ?? [];
  for (const name of limits.flatMap(({ value }) => Object.keys(value))) await api.delete(['user-limits', username, name]);
  // Sessions that stand there go on otherwise.
  if (strays.size > 0) await endSessions(api, username);
}

/** A session that ends by itself meanwhile makes RabbitMQ answer 500. */
async function endSessions(api: Management, username: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await api.delete(['connections', 'username', username]);
    } catch (error) {
      if (attempt === endTries) throw error;
      await delay(endAgainMs);
    }
  }
}

/**
 * Logs in, and makes, binds, reads and drops a queue of the session's own: each of the three rights is used. Nothing is published: a
 * server short of memory or disk stops reading from who publishes, which is no fault of the account.
 */
async function reach(server: { host: string; port: number }, { database, username, password }: Grant, signal: AbortSignal): Promise<void> {
  const { connect } = await import('amqplib');
  signal.throwIfAborted();
  const connection = await connect(
    { protocol: 'amqp', hostname: server.host, port: server.port, username, password, vhost: database, heartbeat: 0 },
    { timeout: connectTimeoutMs },
  );
  // Without a listener an error of the connection would end this process; the work below fails by it as well.
  connection.on('error', () => undefined);
  const onAbort = () => void connection.close().catch(() => undefined);
  signal.addEventListener('abort', onAbort);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    await channel.bindQueue(queue, 'amq.direct', queue);
    await channel.get(queue, { noAck: true });
    await channel.deleteQueue(queue);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await connection.close().catch(() => undefined);
  }
}

/** @throws for users that no app can have. */
function requireAppUser(username: string): void {
  if ([administrator, 'guest'].includes(username)) throw new Error(`The user "${username}" is not an app's.`);
}
