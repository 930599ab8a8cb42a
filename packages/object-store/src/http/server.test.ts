import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { startObjectStore } from '../object-store.ts';
import { md5, send, signedHeaders, signedRequest, type RawRequest } from '../test-client.fixture.ts';
import { credentials, useStore } from '../test-store.fixture.ts';

const logged: string[] = [];
const { account, folder } = useStore({
  corsOrigins: ['https://*.example.org', 'http://localhost:3000'],
  log: (message) => logged.push(message),
  extensions: [
    {
      prefix: '/minio/admin/',
      handle: async (call, path) => call.answerText(`${call.identity.accessKey} ${path} ${call.query.get('q')} ${await call.document()}`),
    },
  ],
});
const signed = (options: Partial<RawRequest>) => signedRequest(account(), { method: 'GET', path: '/web', ...options });

/** Sends bytes as they are and gives back what comes until the server closes or says `until`. */
function raw(text: string, { until = '\r\n\r\n', body = '' } = {}): Promise<string> {
  const { hostname, port } = new URL(account().endpoint);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (data: Buffer) => {
      received += data.toString('latin1');
      if (body !== '' && received === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(body);
      if (received.replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, '').includes(until)) socket.end();
    });
    socket.once('close', () => resolve(received));
    socket.once('error', reject);
  });
}

const files = async () => (await readdir(`${folder()}/blobs`, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());

const wire = (method: string, path: string, headers: Record<string, string>): string =>
  `${method} ${path} HTTP/1.1\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

it('is well for anybody who asks', async () => {
  for (const name of ['live', 'ready', 'cluster'])
    expect((await send(account().endpoint, { method: 'GET', path: `/minio/health/${name}` })).status).toBe(200);
});

it('serves extensions to those who sign, with their body verified', async () => {
  const { body } = await signed({ method: 'PUT', path: '/minio/admin/v3/info', query: { q: '1' }, body: 'data' });
  expect(body.toString()).toBe('skipper /minio/admin/v3/info 1 data');
  expect(await send(account().endpoint, { method: 'GET', path: '/minio/admin/v3/info' })).toMatchObject({ status: 403 });
});

it('answers what it does not do as MinIO does', async () => {
  await signed({ method: 'PUT' });
  const notImplemented = { status: 501, code: 'NotImplemented' };
  for (const aspect of ['cors', 'lifecycle', 'policy', 'versioning', 'replication', 'encryption'])
    expect(await signed({ method: 'PUT', query: { [aspect]: '' }, body: '<x/>' })).toMatchObject(notImplemented);
  expect(await signed({ path: '/web/x', query: { torrent: '' } })).toMatchObject(notImplemented);
  expect(await signed({ query: { policy: '' } })).toMatchObject({ status: 404, code: 'NoSuchBucketPolicy' });
  expect(await signed({ method: 'PUT', path: '/web/x', headers: { 'x-amz-server-side-encryption': 'AES256' } })).toMatchObject(
    notImplemented,
  );
  expect(await signed({ method: 'POST', path: '/web/x' })).toMatchObject({ status: 400, code: 'BadRequest' });
  expect(await signed({ path: '/web/x', query: { versionId: 'x' } })).toMatchObject({ status: 400, code: 'InvalidArgument' });
});

it('describes to HEAD what a header cannot hold as it is', async () => {
  const described = async (path: string) => (await signed({ method: 'HEAD', path })).headers['x-minio-error-desc'];
  expect(await described('//a%0Ab%00')).toBe(`"An unsupported API call for method: HEAD at '//a b '"`);
  const beyondLatin1 = String(await described('//%E2%82%AC'));
  expect(Buffer.from(beyondLatin1, 'latin1').toString()).toBe(`"An unsupported API call for method: HEAD at '//€'"`);
  expect((await signed({ method: 'HEAD', path: '/web/none' })).headers['x-minio-error-desc']).toMatch(/^"The specified .* not exist\.?"$/);
});

it('deletes no object for a version that is not its own', async () => {
  const path = '/web/versioned';
  const id = '00000000-0000-4000-8000-000000000000';
  await signed({ method: 'PUT' });
  await signed({ method: 'PUT', path, body: 'x' });
  expect(await signed({ method: 'DELETE', path, query: { versionId: 'x' } })).toMatchObject({ status: 400, code: 'InvalidArgument' });
  expect(await signed({ method: 'DELETE', path, query: { versionId: id } })).toMatchObject({ status: 204 });
  const deletion = (version: string) => {
    const body = `<Delete><Object><Key>versioned</Key><VersionId>${version}</VersionId></Object></Delete>`;
    return signed({ method: 'POST', query: { delete: '' }, headers: { 'content-md5': md5(body) }, body });
  };
  expect((await deletion(id)).body.toString()).toContain(`<Deleted><Key>versioned</Key><VersionId>${id}</VersionId></Deleted>`);
  expect((await deletion('x')).body.toString()).toMatch(/<Error><Code>NoSuchVersion<.*<VersionId>x<\/VersionId><\/Error>/);
  expect((await signed({ path })).body.toString()).toBe('x');
  expect((await deletion('null')).body.toString()).toContain('<Deleted><Key>versioned</Key><VersionId>null</VersionId></Deleted>');
  expect(await signed({ path })).toMatchObject({ status: 404 });
  await signed({ method: 'PUT', path, body: 'x' });
  expect(await signed({ method: 'DELETE', path, query: { versionId: 'null' } })).toMatchObject({ status: 204 });
  expect(await signed({ path })).toMatchObject({ status: 404 });
});

describe('to web pages', () => {
  const from = async (origin: string) =>
    (await send(account().endpoint, { method: 'OPTIONS', path: '/web/x', headers: { origin, 'access-control-request-method': 'GET' } }))
      .headers['access-control-allow-origin'];
  it('answers those that were set', async () => {
    expect(await from('https://a.example.org')).toBe('https://a.example.org');
    expect(await from('http://localhost:3000')).toBe('http://localhost:3000');
    for (const other of ['https://example.org.evil', 'http://a.example.org', 'http://localhost:30001', 'null'])
      expect(await from(other)).toBeUndefined();
  });

  it('gives objects that cannot do harm', async () => {
    await signed({ method: 'PUT' });
    for (const type of ['text/html', 'image/svg+xml', 'application/xhtml+xml']) {
      await signed({ method: 'PUT', path: '/web/page', headers: { 'content-type': type }, body: '<script>alert(1)</script>' });
      expect((await signed({ path: '/web/page' })).headers).toMatchObject({
        'content-security-policy': 'sandbox',
        'x-content-type-options': 'nosniff',
      });
    }
  });

  it('lets no header be split by what a URL asks for', async () => {
    const { headers } = await signed({ path: '/web/page', query: { 'response-content-type': 'a\r\nset-cookie: b=c' } });
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['content-type']).toBe('application/xhtml+xml');
  });
});

describe('with bodies', () => {
  it('asks for one only when it is wanted', async () => {
    await signed({ method: 'PUT' });
    const expecting = (path: string) => {
      const { headers } = signedHeaders(account(), { method: 'PUT', path, body: 'abc' });
      return raw(wire('PUT', path, { ...headers, 'content-length': '3', expect: '100-continue' }), { body: 'abc' });
    };
    expect(await expecting('/web/wanted')).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
    expect(await expecting('/nowhere/unwanted')).toMatch(/^HTTP\/1.1 404 Not Found/);
  });

  it('does not take in one that it refuses', async () => {
    const path = '/nowhere/large';
    const { headers } = signedHeaders(account(), { method: 'PUT', path, payloadHash: 'UNSIGNED-PAYLOAD' });
    const { hostname, port } = new URL(account().endpoint);
    const sent = await new Promise<number>((resolve) => {
      let count = 0;
      const socket = connect(Number(port), hostname, () => {
        socket.write(wire('PUT', path, { ...headers, 'content-length': String(5 * 2 ** 30) }));
        const piece = Buffer.alloc(1 << 20);
        const more = (): void => void (socket.writable && socket.write(piece, () => ((count += piece.length), more())));
        more();
      });
      socket.on('error', () => {});
      socket.resume().once('close', () => resolve(count));
    });
    expect(sent).toBeLessThan(64 << 20);
  });

  it('keeps nothing of one that is cut off', async () => {
    const path = '/web/cut-off';
    const { headers } = signedHeaders(account(), { method: 'PUT', path, payloadHash: 'UNSIGNED-PAYLOAD' });
    const { hostname, port } = new URL(account().endpoint);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(wire('PUT', path, { ...headers, 'content-length': '1000000' }));
        socket.write(Buffer.alloc(500_000), () => socket.destroy());
      });
      socket.once('close', () => resolve());
    });
    expect(await signed({ path })).toMatchObject({ status: 404 });
    await expect.poll(files).toEqual([]);
  });

  it('needs to know how long they are', async () => {
    const { headers } = signedHeaders(account(), { method: 'PUT', path: '/web/x', payloadHash: 'UNSIGNED-PAYLOAD' });
    expect(
      await send(account().endpoint, { method: 'PUT', path: '/web/x', headers: { ...headers, 'transfer-encoding': 'chunked' }, body: 'x' }),
    ).toMatchObject({ status: 411, code: 'MissingContentLength' });
    expect(await signed({ method: 'PUT', path: '/web/x', headers: { 'content-md5': 'zz' }, body: 'x' })).toMatchObject({
      code: 'InvalidDigest',
    });
    expect(await signed({ method: 'PUT', path: '/web/x', headers: { 'x-amz-meta-a': 'y'.repeat(2100) } })).toMatchObject({
      status: 400,
      code: 'MetadataTooLarge',
    });
  });

  it('refuses documents with types and entities', async () => {
    const body = '<!DOCTYPE Tagging [<!ENTITY a "b">]><Tagging><TagSet><Tag><Key>&a;</Key><Value/></Tag></TagSet></Tagging>';
    await signed({ method: 'PUT', path: '/web/x', body: 'x' });
    expect(await signed({ method: 'PUT', path: '/web/x', query: { tagging: '' }, body })).toMatchObject({
      status: 400,
      code: 'MalformedXML',
    });
  });
});

it('keeps no file of a copy that it refuses', async () => {
  await signed({ method: 'PUT' });
  await signed({ method: 'PUT', path: '/web/original', body: randomBytes(100_000) });
  const copy = (headers: Record<string, string>) =>
    signed({ method: 'PUT', path: '/web/copy', headers: { 'x-amz-copy-source': '/web/original', ...headers } });
  const metadata = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-a': 'y'.repeat(2100) };
  expect(await copy(metadata)).toMatchObject({ status: 400, code: 'MetadataTooLarge' });
  expect(await copy({ 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'a=%00' })).toMatchObject({ status: 400, code: 'InvalidTag' });
  await signed({ method: 'DELETE', path: '/web/original' });
  await expect.poll(files).toEqual([]);
});

it('holds on to nothing for a client that leaves while answers wait for their turn', async () => {
  const path = '/web/large';
  await signed({ method: 'PUT' });
  await signed({ method: 'PUT', path, body: randomBytes(16 << 20) });
  const { hostname, port } = new URL(account().endpoint);
  const get = wire('GET', path, signedHeaders(account(), { method: 'GET', path }).headers);
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(get.repeat(3)));
    socket.once('data', () => socket.destroy()).once('close', () => resolve());
  });
  await signed({ method: 'DELETE', path });
  await expect.poll(files).toEqual([]);
});

it('refuses headers without end', async () => {
  expect(await raw(`GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
});

it('says what stands in the way of its start', async () => {
  const options = { dataDir: `${folder()}-other`, host: '127.0.0.1', credentials };
  const { port } = new URL(account().endpoint);
  await expect(startObjectStore({ ...options, port: Number(port) })).rejects.toMatchObject({ code: 'port-in-use' });
  await expect(startObjectStore({ ...options, port: 0, credentials: { accessKey: 'skipper', secretKey: 'short' } })).rejects.toMatchObject({
    code: 'invalid',
  });
});

afterAll(async () => {
  await rm(`${folder()}-other`, { recursive: true, force: true });
  expect(logged.join('\n')).not.toContain(credentials.secretKey);
});
