import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { opensearch } from '../../opensearch/definition.ts';
import { findOpensearch } from '../../opensearch/programs.ts';
import type { Driver } from './driver.ts';

/** Its clients are REST clients. */
async function send(uri: string, method: string, path: string, body?: unknown): Promise<{ _source?: { value: string } }> {
  const { username, password, origin } = new URL(uri);
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: { ...(username === '' ? {} : { authorization: `Basic ${credentials}` }), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return (await response.json()) as { _source?: { value: string } };
}

export const opensearchDriver: Driver = {
  startMs: 120_000,
  mayBeAbsent: {
    because: 'its archive has some 900 MB, and no package registry carries it',
    isHere: async (enginesDir) => {
      const home = await findOpensearch(opensearch.defaultVersion, enginesDir);
      return home !== undefined && existsSync(join(home, 'plugins', 'opensearch-security'));
    },
  },
  write: async (uri, value) => void (await send(uri, 'PUT', '/kept/_doc/1', { value })),
  read: async (uri) => (await send(uri, 'GET', '/kept/_doc/1'))._source?.value,
  connectWithoutPassword: (host, port) => send(`http://${host}:${port}`, 'GET', '/kept/_doc/1'),
};
