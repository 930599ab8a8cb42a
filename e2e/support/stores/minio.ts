import { AwsClient } from 'aws4fetch';
import type { Place, Store } from './store.ts';

const request = async ({ host, port, username, password, database }: Place, method: string, path = '', body?: string): Promise<Response> =>
  new AwsClient({ accessKeyId: username, secretAccessKey: password, service: 's3', region: 'us-east-1', retries: 0 }).fetch(
    `http://${host}:${port}/${database}${path}`,
    { method, ...(body === undefined ? {} : { body }) },
  );

async function succeeded(response: Response, ...also: number[]): Promise<Response> {
  if (!response.ok && !also.includes(response.status)) throw new Error(`answered ${response.status}: ${await response.text()}`);
  return response;
}

export const store: Store = {
  prefix: 'S3',
  part: 'BUCKET',
  administratorsPart: 'administrators',
  async write(place, text) {
    // An app's bucket is there already.
    if (place.username === 'skipper') await succeeded(await request(place, 'PUT'), 409);
    await succeeded(await request(place, 'PUT', '/kept', text));
  },
  async read(place) {
    const response = await succeeded(await request(place, 'GET', '/kept'), 404);
    return response.ok ? response.text() : undefined;
  },
};
