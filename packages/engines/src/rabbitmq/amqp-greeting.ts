import { connect } from 'node:net';

/** What a client of AMQP 0-9-1 sends first. https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2.2 */
const protocolHeader = Buffer.from('AMQP\0\0\x09\x01');
/** Type of the frame that carries `Connection.Start`. */
const methodFrame = 1;

/**
 * Opens a connection as far as the server's first frame, which needs no account.
 * @param host an IP address
 * @returns `refused` when nothing listens there, `silent` when what listens says nothing or something else.
 */
export function greetAmqp(host: string, port: number, signal: AbortSignal): Promise<'accepting' | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('silent');
    const socket = connect({ host, port });
    const finish = (answer: 'accepting' | 'refused' | 'silent') => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const onAbort = () => finish('silent');
    signal.addEventListener('abort', onAbort);
    socket.on('connect', () => socket.write(protocolHeader));
    socket.on('data', (chunk) => finish(chunk[0] === methodFrame ? 'accepting' : 'silent'));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
    socket.on('close', () => finish('silent'));
  });
}
