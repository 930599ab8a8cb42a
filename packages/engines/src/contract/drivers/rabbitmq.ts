import { connect, type ChannelModel } from 'amqplib';
import type { Driver } from './driver.ts';

export const rabbitmqDriver: Driver = {
  startMs: 90_000,
  // While the node is made, while the virtual host and the administrator are made, and when it is up, on machines of several speeds.
  killsAfterMs: [1, 300, 1_200, 2_400, 3_600, 5_000],
  write: (uri, value) =>
    withRabbitmq(uri, async (connection) => {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue('kept', { durable: true });
      channel.sendToQueue('kept', Buffer.from(value), { persistent: true });
      await channel.waitForConfirms();
    }),
  // Not acknowledged: the message goes back when the connection ends.
  read: (uri) =>
    withRabbitmq(uri, async (connection) => {
      const message = await (await connection.createChannel()).get('kept');
      return message ? message.content.toString() : undefined;
    }),
  // As the account that RabbitMQ makes when it is not told otherwise.
  connectWithoutPassword: (host, port) => withRabbitmq(`amqp://guest:guest@${host}:${port}`, async () => undefined),
};

async function withRabbitmq<T>(uri: string, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(uri, { timeout: 10_000 });
  // A server that stops ends its connections with an error of their own.
  connection.on('error', () => undefined);
  try {
    return await work(connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}
