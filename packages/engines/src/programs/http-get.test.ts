import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as requestHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { httpGet } from './http-get.ts';

let folder: string;
let plainServer: Server;
let tlsServer: Server;
let proxy: Server;
let asked: string[] = [];

const port = (server: Server): number => (server.address() as AddressInfo).port;
const listen = <T extends Server>(server: T): Promise<T> => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
const get = async (url: string): Promise<string> =>
  text(await httpGet(new URL(url), { headers: {}, signal: AbortSignal.timeout(5_000), answerMs: 2_000 }));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skipper-proxy-'));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'key',
      '-out',
      'cert',
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  const answer = (name: string) => (request: IncomingMessage, response: { end(body: string): void }) =>
    response.end(`${name} ${request.headers.host} ${request.headers['proxy-authorization'] ?? ''}`);
  plainServer = await listen(createServer(answer('plain')));
  tlsServer = await listen(
    createHttpsServer({ key: await readFile(join(folder, 'key')), cert: await readFile(join(folder, 'cert')) }, answer('tls')),
  );
  const forward = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    requestHttp(new URL(request.url!), { headers }, (answered) => answered.pipe(response)).end();
  });
  forward.on('connect', (request, socket) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    if (request.url?.startsWith('forbidden')) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const upstream = connect(port(tlsServer), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    upstream.pipe(socket).pipe(upstream);
    for (const end of [upstream, socket]) end.on('error', () => undefined);
  });
  proxy = await listen(forward);
});
afterAll(async () => {
  for (const server of [plainServer, tlsServer, proxy]) server.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
  asked = [];
});

const credentials = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;

/** Known to the proxy alone: whoever goes there directly finds nothing. */
const beyond = 'files.example.invalid';

it('reaches an https address by a tunnel through the proxy, which gets its own credentials', async () => {
  vi.stubEnv('HTTPS_PROXY', `http://me:p%40ss@127.0.0.1:${port(proxy)}`);
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  expect(await get(`https://${beyond}/x`)).toBe(`tls ${beyond} `);
  expect(asked).toEqual([`CONNECT ${beyond}:443 ${credentials}`]);
});
it('verifies who answers behind the proxy', async () => {
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${port(proxy)}`);
  await expect(get(`https://${beyond}/x`)).rejects.toThrow('self-signed certificate');
});
it('reaches an http address through the proxy', async () => {
  vi.stubEnv('http_proxy', `me:p%40ss@127.0.0.1:${port(proxy)}`);
  expect(await get(`http://localhost:${port(plainServer)}/x?y`)).toBe(`plain localhost:${port(plainServer)} `);
  expect(asked).toEqual([`GET http://localhost:${port(plainServer)}/x?y ${credentials}`]);
});
it.each(['localhost', '*', 'example.org, localhost', '.0.0.1'])('goes straight there when no_proxy is %j', async (list) => {
  vi.stubEnv('http_proxy', `http://127.0.0.1:${port(proxy)}`);
  vi.stubEnv('no_proxy', list);
  const host = list.startsWith('.') ? '127.0.0.1' : 'localhost';
  expect(await get(`http://${host}:${port(plainServer)}/`)).toContain('plain');
  expect(asked).toEqual([]);
});
it('says what the proxy says', async () => {
  vi.stubEnv('https_proxy', `http://127.0.0.1:${port(proxy)}`);
  await expect(get('https://forbidden.invalid/x')).rejects.toThrow(
    `https://forbidden.invalid/x is not reached: the proxy http://127.0.0.1:${port(proxy)}/ answers 403`,
  );
});
it('gives credentials to the host that they are for, and to no other', async () => {
  const seen: (string | undefined)[] = [];
  const other = await listen(
    createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    }),
  );
  const first = await listen(
    createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === '/a' ? '/b' : `http://localhost:${port(other)}/c` }).end();
    }),
  );
  await get(`http://me:p%40ss@127.0.0.1:${port(first)}/a`);
  expect(seen).toEqual([credentials, credentials, undefined]);
  first.close();
  other.close();
});
