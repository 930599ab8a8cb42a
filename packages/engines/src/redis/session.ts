import type { ServiceAccess } from '../engine.ts';

/** Sends one command. @throws when the server refuses. */
export type Call = (name: string, ...args: string[]) => Promise<unknown>;

const timeoutMs = 10_000;

/** Runs `work` in a session of its own. */
export async function withSession<T>(
  access: ServiceAccess,
  login: { username: string; password: string },
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { Redis } = await import('ioredis');
  const { host, port } = await access.endpoint('redis');
  access.signal.throwIfAborted();
  const client = new Redis({
    host,
    port,
    // The answers that are read here have the shapes of this protocol; and logging in is a command of its own, whose error is the reason.
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
  // What failed is said by the command that failed; `connect` itself says only that the connection is closed.
  let failure: Error | undefined;
  client.on('error', (error: Error) => {
    failure = error;
  });
  const call: Call = async (name, ...args) => {
    try {
      return await client.call(name, ...args);
    } catch (error) {
      // The driver's own error carries the command with its arguments, secrets included.
      throw new Error((error as Error).message);
    }
  };
  const abort = () => client.disconnect();
  access.signal.addEventListener('abort', abort);
  try {
    await client.connect().catch((error: Error) => {
      throw failure ?? error;
    });
    await call('AUTH', login.username, login.password);
    return await work(call);
  } finally {
    access.signal.removeEventListener('abort', abort);
    client.disconnect();
  }
}
