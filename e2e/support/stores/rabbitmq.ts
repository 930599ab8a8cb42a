import { connect, type Channel } from 'amqplib';
import type { Place, Store } from './store.ts';

const queue = 'kept';

async function connected<T>(place: Place, work: (channel: Channel) => Promise<T>): Promise<T> {
  const { host: hostname, port, username, password, database: vhost } = place;
  const connection = await connect({ protocol: 'amqp', hostname, port, username, password, vhost }, { timeout: 60_000 });
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(queue, { durable: true });
    const answer = await work(channel);
    await channel.waitForConfirms();
    return answer;
  } finally {
    await connection.close().catch(() => undefined);
  }
}

export const store: Store = {
  prefix: 'AMQP',
  part: 'VHOST',
  administratorsPart: '/',
  write: (place, text) =>
    connected(place, async (channel) => {
      await channel.purgeQueue(queue);
      channel.sendToQueue(queue, Buffer.from(text), { persistent: true });
    }),
  // Not acknowledged, so that it stays there.
  read: (place) =>
    connected(place, async (channel) => {
      const message = await channel.get(queue, { noAck: false });
      if (!message) return undefined;
      channel.nack(message, false, true);
      return message.content.toString();
    }),
};
