import { connect } from 'node:net';

/** The command `hello` for the database `admin`, as OP_MSG. https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
const helloMessage = Buffer.concat([
  Buffer.from([52, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0]),
  Buffer.from('\x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0', 'latin1'),
]);
/** `isWritablePrimary: true` in BSON. */
const writable = Buffer.from('\x08isWritablePrimary\0\x01', 'latin1');
/** Bytes; answers have some hundred. */
const longestAnswer = 64 << 10;

/**
 * Asks a server whether it takes writes, which needs no account.
 * @param host an IP address
 * @returns `refused` when nothing listens there, `silent` when what listens says nothing or something else.
 */
export function helloMongodb(host: string, port: number, signal: AbortSignal): Promise<'accepting' | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('silent');
    let received = Buffer.alloc(0);
    const socket = connect({ host, port });
    const finish = (answer: 'accepting' | 'refused' | 'silent') => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const onAbort = () => finish('silent');
    signal.addEventListener('abort', onAbort);
    socket.on('connect', () => socket.write(helloMessage));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > longestAnswer) return finish('silent');
      if (received.length >= 4 && received.length >= received.readUInt32LE(0)) finish(received.includes(writable) ? 'accepting' : 'silent');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
    socket.on('close', () => finish('silent'));
  });
}
