import { connect } from 'node:net';

export interface PingOptions {
  /** An IP address. */
  host: string;
  port: number;
  username: string;
  password: string;
  signal: AbortSignal;
}

/** Longest answer that is waited for; status lines and errors are far shorter. */
const longestAnswer = 4096;

/** Logs in and sends PING. @returns the answer's line without its mark, for example `PONG` or `LOADING …`; `undefined` when there is none. */
export function pingRedis({ host, port, username, password, signal }: PingOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    let received = '';
    const socket = connect({ host, port });
    const finish = (answer: string | undefined) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const onAbort = () => finish(undefined);
    signal.addEventListener('abort', onAbort);
    socket.on('connect', () => socket.write(command('AUTH', username, password) + command('PING')));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const [login, answer, rest] = received.split('\r\n');
      if (login?.startsWith('-')) finish(login.slice(1));
      else if (rest !== undefined) finish(answer?.slice(1));
      else if (received.length > longestAnswer) finish(undefined);
    });
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
  });
}

/** https://redis.io/docs/latest/develop/reference/protocol-spec/ */
function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
