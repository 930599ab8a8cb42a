import { connect, type Channel, type ChannelModel, type Options } from 'amqplib';
import { Refused, type Account, type AccountsDriver, type Attack, type Driver } from './driver.ts';

const managementPort = 15_672;
const everything = { configure: '.*', write: '.*', read: '.*' };

async function withRabbitmq<T>(by: string | Options.Connect, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(by, { timeout: 10_000 });
  // A server that stops ends its connections with an error of their own.
  connection.on('error', () => undefined);
  try {
    return await work(connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

const parts = ({ host, port, username, password, database }: Account): Options.Connect => ({
  hostname: host,
  port,
  username,
  password,
  vhost: database || '/',
});

async function call({ host, username, password }: Account, method: string, path: string, body?: object): Promise<Response> {
  const response = await fetch(`http://${host}:${managementPort}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (response.status === 401) throw new Refused('the management API');
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** By AMQP, in the other's virtual host. */
const inside = (name: string, work: (channel: Channel, victim: Account) => Promise<unknown>): Attack => ({
  name,
  run: (attacker, victim) =>
    withRabbitmq({ ...parts(attacker), vhost: victim.database }, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      await work(channel, victim);
      await channel.close();
    }),
});

/** By the management API; `theirs` stands for the other's virtual host, `them` and `me` for the names. */
const request = (line: string, body?: object): Attack => ({
  name: line,
  run: (attacker, victim) => {
    const [method = '', path = ''] = line
      .replace('theirs', victim.database)
      .replace('them', victim.username)
      .replace('me', attacker.username)
      .split(' ');
    return call(attacker, method, path, body);
  },
});

const attacks: Attack[] = [
  inside('is let in', async () => undefined),
  inside('reads', (channel) => channel.get('kept')),
  inside('consumes', (channel) => channel.consume('kept', () => undefined)),
  inside('publishes', async (channel) => void channel.publish('', 'kept', Buffer.from('changed'))),
  inside('declares', (channel) => channel.assertQueue('stolen', { autoDelete: true })),
  inside('listens to an exchange', async (channel) => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.topic', '#');
  }),
  inside('empties', (channel) => channel.purgeQueue('kept')),
  inside('deletes', (channel) => channel.deleteQueue('kept')),
  request('GET whoami'),
  request('GET vhosts'),
  request('GET users'),
  request('GET definitions'),
  request('GET connections'),
  request('GET queues'),
  request('GET queues/theirs/kept'),
  request('POST queues/theirs/kept/get', { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }),
  request('PUT queues/theirs/taken', { durable: true }),
  request('DELETE queues/theirs/kept'),
  request('PUT users/me', { tags: 'administrator', password_hash: '' }),
  request('PUT permissions/theirs/me', everything),
  request('PUT users/them', { password: 'changed', tags: '' }),
  request('DELETE users/them'),
  request('DELETE vhosts/theirs'),
];

/** By text: amqplib shows the server's answer to a login nowhere else. */
const refusal = /ConnectionClose|ACCESS.REFUSED/;

const accounts: AccountsDriver = {
  // The server compares a message's user with the session's.
  whoAmI: (by) =>
    withRabbitmq(typeof by === 'string' ? by : parts(by), async (connection) => {
      const username = typeof by === 'string' ? decodeURIComponent(new URL(by).username) : by.username;
      const channel = await connection.createConfirmChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      channel.sendToQueue(queue, Buffer.from('who'), { userId: username });
      await channel.waitForConfirms();
      return username;
    }),
  write: (account, value) =>
    withRabbitmq(parts(account), async (connection) => {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue('kept', { durable: true });
      await channel.purgeQueue('kept');
      channel.sendToQueue('kept', Buffer.from(value), { persistent: true });
      await channel.waitForConfirms();
    }),
  read: (account) => withRabbitmq(parts(account), readKept),
  hold: async (account) => {
    const connection = await connect(parts(account), { timeout: 10_000 });
    connection.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => connection.once('close', () => resolve()));
    return () => ended;
  },
  attacks,
  widenings: [
    {
      name: 'all rights',
      apply: async (admin, attacker, victim) => {
        await call(admin, 'PUT', `users/${attacker.username}`, { password: attacker.password, tags: 'administrator' });
        await call(admin, 'PUT', `permissions/${victim.database}/${attacker.username}`, everything);
      },
      opens: 'is let in',
    },
    {
      name: "rights on the other's virtual host",
      apply: (admin, attacker, victim) => call(admin, 'PUT', `permissions/${victim.database}/${attacker.username}`, everything),
      opens: 'reads',
    },
    {
      name: 'being let in there',
      apply: (admin, attacker, victim) =>
        call(admin, 'PUT', `permissions/${victim.database}/${attacker.username}`, { configure: '', write: '', read: '' }),
      opens: 'is let in',
    },
    ...['management', 'monitoring', 'policymaker', 'administrator'].map((tag) => ({
      name: `the tag ${tag}`,
      apply: (admin: Account, { username, password }: Account) => call(admin, 'PUT', `users/${username}`, { password, tags: tag }),
      opens: 'GET whoami',
    })),
  ],
  isRefusal: (error) => refusal.test((error as Error).message),
  drop: async (admin, { username }) => {
    await call(admin, 'DELETE', `users/${username}`);
  },
};

/** Puts the message back before it is done: left to the connection's end, it might be missed by who reads next. */
async function readKept(connection: ChannelModel): Promise<string | undefined> {
  const channel = await connection.createChannel();
  const message = await channel.get('kept');
  if (!message) return undefined;
  channel.nack(message, false, true);
  await channel.close();
  return message.content.toString();
}

export const rabbitmqDriver: Driver = {
  // The port of the node, and that of its port mapper: by another program, and by another node's mapper.
  lostPort: /dist_port_already_used|register\/listen error|duplicate_node_name/,
  // While the node is made, while the virtual host and the administrator are made, and when it is up, on machines of several speeds.
  killsAfterMs: [1, 300, 1_200, 2_400, 3_600, 5_000],
  write: (uri, value) =>
    withRabbitmq(uri, async (connection) => {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue('kept', { durable: true });
      channel.sendToQueue('kept', Buffer.from(value), { persistent: true });
      await channel.waitForConfirms();
    }),
  read: (uri) => withRabbitmq(uri, readKept),
  // As the account that RabbitMQ makes when it is not told otherwise.
  connectWithoutPassword: (host, port) => withRabbitmq(`amqp://guest:guest@${host}:${port}`, async () => undefined),
  accounts,
};
