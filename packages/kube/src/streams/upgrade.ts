import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiConnection } from '../connection.ts';
import { KubeError } from '../errors.ts';

/** Bytes of a refusal that are read; a Status is far shorter. */
const refusalLimit = 64 * 1024;

/**
 * Turns a new connection to the API server into a raw one by an HTTP upgrade.
 * @param path Path and query below the server's address.
 * @throws KubeError when the server answers with anything but 101; its `status.kind` is `Status` only if Kubernetes itself spoke.
 */
export function upgrade(
  connection: ApiConnection,
  path: string,
  protocol: string,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<Socket> {
  return authorized(connection, async (authorization) => {
    const socket = await connection.dial(signal);
    return new Promise((resolve, reject) => {
      const outgoing = request({
        method: 'POST',
        path: connection.basePath + path,
        headers: { ...authorization, ...headers, connection: 'Upgrade', upgrade: protocol },
        createConnection: () => socket,
        signal,
      });
      outgoing.setTimeout(connection.answerTimeoutMs, () =>
        outgoing.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
      );
      outgoing.once('upgrade', (response, upgraded, head) => {
        // A quiet stream is not a dead one.
        socket.setTimeout(0);
        if (response.headers.upgrade?.toLowerCase() !== protocol.toLowerCase()) {
          upgraded.destroy();
          reject(new KubeError(502, { message: `the server switched to ${response.headers.upgrade ?? 'nothing'} instead of ${protocol}` }));
          return;
        }
        if (head.length > 0) upgraded.unshift(head);
        resolve(upgraded as Socket);
      });
      outgoing.once('response', (response) => {
        refusal(response)
          .then(reject, reject)
          .finally(() => socket.destroy());
      });
      outgoing.once('error', (error) => {
        socket.destroy();
        reject(signal?.aborted ? signal.reason : connection.unreachable(error));
      });
      outgoing.end();
    });
  });
}

/** Calls `attempt` with the request headers, and once more with new credentials when the server does not accept the first. */
export async function authorized<T>(connection: ApiConnection, attempt: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  const headers = await connection.headers();
  try {
    return await attempt(headers);
  } catch (error) {
    if (!(error instanceof KubeError) || error.code !== 401 || !(await connection.refresh(headers['authorization']))) throw error;
    return attempt(await connection.headers());
  }
}

/** What a server says that does not upgrade. */
export async function refusal(response: IncomingMessage): Promise<KubeError> {
  let body = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    body += part;
    if (body.length > refusalLimit) break;
  }
  const code = response.statusCode ?? 0;
  return new KubeError(code, parseStatus(body) ?? { message: `the server answered ${code} and did not upgrade the connection` });
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed = JSON.parse(body);
    return parsed?.kind === 'Status' ? parsed : undefined;
  } catch {
    return undefined;
  }
}
