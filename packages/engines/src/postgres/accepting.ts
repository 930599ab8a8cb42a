import { connect } from 'node:net';

/** What a server says to a new connection: the exit codes of `pg_isready`. https://www.postgresql.org/docs/current/app-pg-isready.html */
export type Readiness = 'accepting' | 'rejecting' | 'silent';

/** Protocol 3.0, as an Int32. */
const protocolVersion = 196_608;
/** SQLSTATE `cannot_connect_now`: starting up, recovering or shutting down. */
const cannotConnectNow = '57P03';

/**
 * Opens a session as far as the server's first answer, which tells whether it accepts connections; no password is needed.
 * @param host an IP address
 */
export function probePostgres(host: string, port: number, signal: AbortSignal): Promise<Readiness> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('silent');
    let received = Buffer.alloc(0);
    const socket = connect({ host, port });
    const finish = (readiness: Readiness) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(readiness);
    };
    const onAbort = () => finish('silent');
    signal.addEventListener('abort', onAbort);
    socket.on('connect', () => socket.write(startupMessage()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const kind = String.fromCharCode(received[0]!);
      if (kind === 'R') return finish('accepting');
      if (kind !== 'E') return finish('silent');
      if (received.length >= 5 && received.length >= 1 + received.readUInt32BE(1))
        finish(sqlState(received) === cannotConnectNow ? 'rejecting' : 'accepting');
    });
    socket.on('error', () => finish('silent'));
    socket.on('close', () => finish('silent'));
  });
}

function startupMessage(): Buffer {
  const body = Buffer.from('user\0skipper\0database\0postgres\0\0');
  const header = Buffer.alloc(8);
  header.writeUInt32BE(header.length + body.length, 0);
  header.writeUInt32BE(protocolVersion, 4);
  return Buffer.concat([header, body]);
}

/** The field `C` of an ErrorResponse, whose fields are a letter and a string that ends in a zero. */
function sqlState(message: Buffer): string | undefined {
  const fields = message
    .subarray(5, 1 + message.readUInt32BE(1))
    .toString('utf8')
    .split('\0');
  return fields.find((field) => field.startsWith('C'))?.slice(1);
}
