import type { Place, Store } from './store.ts';

async function request(
  { host, port, username, password, database }: Place,
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const response = await fetch(`http://${host}:${port}/${database}kept${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok && response.status !== 404) throw new Error(`answered ${response.status}: ${await response.text()}`);
  return response;
}

export const store: Store = {
  prefix: 'OPENSEARCH',
  part: 'INDEX_PREFIX',
  administratorsPart: 'administrator-',
  async write(place, text) {
    await request(place, 'PUT', '/_doc/one?refresh=true', { text });
  },
  async read(place) {
    const response = await request(place, 'GET', '/_doc/one');
    return response.ok ? ((await response.json()) as { _source: { text: string } })._source.text : undefined;
  },
};
