import type { Call } from '../http/call.ts';

const startedAt = Date.now();

/** What clients ask to see that a server is up. https://pkg.go.dev/github.com/minio/madmin-go/v3#InfoMessage */
export async function serverInfo({ request }: Call): Promise<string> {
  return JSON.stringify({
    mode: 'online',
    servers: [
      {
        state: 'online',
        endpoint: request.headers.host ?? '',
        uptime: Math.floor((Date.now() - startedAt) / 1000),
        version: 'skipper',
      },
    ],
  });
}
