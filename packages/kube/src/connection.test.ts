import { getEventListeners } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { secrets } from '@skipper/api';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from './client.ts';
import { createConnection } from './connection.ts';
import type { ClusterEntry, ExecEntry, UserEntry } from './kubeconfig.ts';
import { bypassesProxy, proxyFor } from './proxy.ts';
import { answerJson, startTestServer, testCertificates, type TestCertificates, type TestServer } from './test-server.fixture.ts';

let certificates: TestCertificates;
let strangers: TestCertificates;
let folder: string;
let server: TestServer;
const closers: (() => unknown)[] = [];
const base64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  [certificates, strangers] = await Promise.all([testCertificates(), testCertificates()]);
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'connection-'));
  // Says who asks: by token, impersonation and certificate.
  server = await startTestServer((request, response) => {
    const { authorization, ...headers } = request.headers;
    answerJson(response, {
      authorization,
      groups: request.rawHeaders.filter((_, i, all) => all[i - 1]?.toLowerCase() === 'impersonate-group'),
      user: headers['impersonate-user'],
      certificate: (request.socket as TLSSocket).getPeerCertificate().subject?.CN,
    });
  }, certificates);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await server.close();
  rmSync(folder, { recursive: true });
});

function clientFor(user: UserEntry = {}, settings: ClusterEntry = {}, env: NodeJS.ProcessEnv = {}, connectTimeoutMs = 20_000) {
  const cluster = server.cluster(user, settings);
  const client = createClient({ ...cluster, server: settings.server ?? cluster.server }, { env, connectTimeoutMs });
  closers.push(() => client.close());
  return {
    client,
    whoAmI: async () =>
      JSON.parse((await client.raw('GET', '/')).body) as { authorization?: string; groups: string[]; user?: string; certificate?: string },
  };
}

const failure = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error,
  );

/** A file of the test's folder. */
function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('TLS', () => {
  it('trusts the authority of a file as well as that of the kubeconfig', async () => {
    await clientFor({}, { 'certificate-authority-data': '', 'certificate-authority': file('ca.crt', certificates.ca) }).whoAmI();
  });

  it.each([
    [
      'another authority',
      () => ({ 'certificate-authority-data': base64(strangers.ca) }),
      'its authority is not the one that the kubeconfig trusts',
    ],
    [
      'no authority but the public ones',
      () => ({ 'certificate-authority-data': '' }),
      'its authority is not the one that the kubeconfig trusts',
    ],
    ['another name', () => ({ 'tls-server-name': 'other.test' }), 'it is for another host name'],
    ['another address', () => ({ 'tls-server-name': '10.0.0.1' }), 'it is for another host name'],
  ])('refuses a server by %s and says certificate problem', async (_name, settings, problem) => {
    const error = await failure(clientFor({}, settings()).whoAmI());
    expect(error).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('kubeconfig') });
    expect(error.message).toContain(`The cluster of context "test" (${server.url}) has a certificate problem: ${problem}`);
  });

  it('checks the name that tls-server-name gives, and asks for it', async () => {
    await clientFor({}, { 'tls-server-name': 'kube.test' }).whoAmI();
    expect((server.sockets.at(-1) as TLSSocket & { servername: string }).servername).toBe('kube.test');
    await clientFor({}, { 'tls-server-name': '127.0.0.1' }).whoAmI();
  });

  it('checks nothing when it is told so', async () => {
    await clientFor({}, { 'certificate-authority-data': base64(strangers.ca), 'insecure-skip-tls-verify': true }).whoAmI();
  });

  it('says that a server does not speak TLS', async () => {
    const plain = await startTestServer((_, response) => answerJson(response, {}));
    closers.push(() => plain.close());
    expect(await failure(clientFor({}, { server: plain.url.replace('http:', 'https:') }).whoAmI())).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('does not speak TLS'),
    });
  });

  it('leaves nothing at the signal of who dials', async () => {
    const { signal } = new AbortController();
    const dialling = createConnection(server.cluster()).dial(signal);
    await expect.poll(() => getEventListeners(signal, 'abort').length, { interval: 0 }).toBe(1);
    (await dialling).destroy();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('gives up on a server that accepts and never shakes hands', async () => {
    const silent = createTcpServer((socket) => void socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const held: Socket[] = [];
    silent.on('connection', (socket) => held.push(socket));
    closers.push(() => {
      for (const socket of held) socket.destroy();
      silent.close();
    });
    const began = performance.now();
    const { whoAmI } = clientFor({}, { server: `https://127.0.0.1:${(silent.address() as AddressInfo).port}` }, {}, 2000);
    expect(await failure(whoAmI())).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('it does not answer in time'),
    });
    expect(performance.now() - began).toBeLessThan(9_000);
  });

  it('names a file that cannot be read, and certificates that are none', async () => {
    expect(
      await failure(clientFor({}, { 'certificate-authority-data': '', 'certificate-authority': join(folder, 'none') }).whoAmI()),
    ).toMatchObject({ code: 'usage', message: expect.stringContaining(join(folder, 'none')) });
    expect(await failure(clientFor({ 'client-certificate-data': base64('x'), 'client-key-data': base64('y') }).whoAmI())).toMatchObject({
      code: 'usage',
    });
    expect(await failure(clientFor({ 'client-certificate-data': base64('x') }).whoAmI())).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('without its key'),
    });
  });
});

describe('credentials', () => {
  it('are a token, a basic account, or a certificate of the kubeconfig or of files', async () => {
    const jane = await certificates.client('jane');
    expect((await clientFor({ token: 'abc' }).whoAmI()).authorization).toBe('Bearer abc');
    expect((await clientFor({ username: 'u', password: 'p:ä' }).whoAmI()).authorization).toBe(`Basic ${base64('u:p:ä')}`);
    expect(
      (await clientFor({ 'client-certificate-data': base64(jane.cert), 'client-key-data': base64(jane.key) }).whoAmI()).certificate,
    ).toBe('jane');
    expect((await clientFor({ 'client-certificate': file('c', jane.cert), 'client-key': file('k', jane.key) }).whoAmI()).certificate).toBe(
      'jane',
    );
  });

  it('impersonate a user with all of the groups', async () => {
    expect(await clientFor({ token: 't', as: 'jane', 'as-groups': ['a', 'b, c'] }).whoAmI()).toMatchObject({
      user: 'jane',
      groups: ['a', 'b, c'],
    });
  });

  it('come from a token file, which is read again after a 401', async () => {
    const tokenFile = file('token', 'one\n');
    const { client, whoAmI } = clientFor({ token: 'fallback', tokenFile });
    expect((await whoAmI()).authorization).toBe('Bearer one');
    const answer = server.handler;
    server.handler = (request, response) =>
      request.headers.authorization === 'Bearer two' ? answer(request, response) : answerJson(response, {}, 401);
    expect((await client.raw('GET', '/')).status).toBe(401);
    writeFileSync(tokenFile, 'two\n');
    expect((await whoAmI()).authorization).toBe('Bearer two');
  });

  it('never stand in an error', async () => {
    expect((await failure(clientFor({ token: 's3cret\nx' }).whoAmI())).message).not.toContain('s3cret');
    expect(() => clientFor({}, { 'proxy-url': 'ftp://u:s3cret@h' })).toThrow(expect.not.stringContaining('s3cret'));
    expect((await failure(clientFor({}, { 'proxy-url': 'http://u:s3cret@127.0.0.1:1' }).whoAmI())).message).not.toContain('s3cret');
  });

  it('of an auth-provider are refused with the way out', () => {
    expect(() => clientFor({ 'auth-provider': { name: 'gcp' } })).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('exec') }),
    );
  });
});

describe('a credentials program', () => {
  /** A program that counts its runs and prints the status that `status` makes of their number and the environment. */
  function program(status: string, rest: Partial<ExecEntry> = {}): ExecEntry {
    const path = file(
      'login',
      `#!/usr/bin/env node
const fs = require('fs');
const counter = ${JSON.stringify(join(folder, 'runs'))};
const run = (fs.existsSync(counter) ? Number(fs.readFileSync(counter, 'utf8')) : 0) + 1;
fs.writeFileSync(counter, String(run));
const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
console.log(JSON.stringify({ apiVersion: info.apiVersion, kind: 'ExecCredential', status: ${status} }));
`,
    );
    chmodSync(path, 0o755);
    return { apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never', command: path, ...rest };
  }
  const runs = (): number => Number(readFileSync(join(folder, 'runs'), 'utf8'));

  it.each(['v1', 'v1beta1'])('of version %s runs once for many requests', async (version) => {
    const { whoAmI } = clientFor({ exec: program('{ token: "run-" + run }', { apiVersion: `client.authentication.k8s.io/${version}` }) });
    expect((await Promise.all([whoAmI(), whoAmI(), whoAmI()])).map(({ authorization }) => authorization)).toEqual(
      Array(3).fill('Bearer run-1'),
    );
    expect(runs()).toBe(1);
  });

  it('runs again when its credential has ended', async () => {
    const { whoAmI } = clientFor({
      exec: program('{ token: "run-" + run, expirationTimestamp: new Date(Date.now() + (run === 1 ? 1000 : 3600000)).toISOString() }'),
    });
    await whoAmI();
    expect((await whoAmI()).authorization).toBe('Bearer run-2');
    await whoAmI();
    expect(runs()).toBe(2);
  });

  it('is not waited for any longer than it runs, whatever it leaves behind', async () => {
    const leaving = file(
      'leaving.mjs',
      `
      import { spawn } from 'node:child_process';
      spawn('sleep', ['20'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).unref();
      console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'run-1' } }));
    `,
    );
    const { whoAmI } = clientFor({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [leaving], interactiveMode: 'Never' },
    });
    const from = performance.now();
    expect((await whoAmI()).authorization).toBe('Bearer run-1');
    expect(performance.now() - from).toBeLessThan(10_000);
  });

  it('runs again once after a 401', async () => {
    const { client, whoAmI } = clientFor({ exec: program('{ token: "run-" + run }') });
    const answer = server.handler;
    server.handler = (request, response) =>
      request.headers.authorization === 'Bearer run-2' ? answer(request, response) : answerJson(response, {}, 401);
    expect((await whoAmI()).authorization).toBe('Bearer run-2');
    server.handler = (_, response) => answerJson(response, {}, 401);
    expect((await client.raw('GET', '/')).status).toBe(401);
    expect(runs()).toBe(3);
  });

  it('gives certificates, and after a 401 new ones on new connections', async () => {
    for (const name of ['one', 'two']) {
      const { cert, key } = await certificates.client(name);
      file(`${name}.json`, JSON.stringify({ clientCertificateData: cert, clientKeyData: key }));
    }
    const { whoAmI } = clientFor({
      exec: program(`JSON.parse(fs.readFileSync(${JSON.stringify(folder)} + (run === 1 ? '/one.json' : '/two.json'), 'utf8'))`),
    });
    expect((await whoAmI()).certificate).toBe('one');
    const answer = server.handler;
    server.handler = (request, response) =>
      (request.socket as TLSSocket).getPeerCertificate().subject.CN === 'two' ? answer(request, response) : answerJson(response, {}, 401);
    expect((await whoAmI()).certificate).toBe('two');
  });

  it('is told of the cluster when it asks, and gets its arguments and environment', async () => {
    const exec = program(
      '{ token: [info.spec.interactive, info.spec.cluster.server, info.spec.cluster["certificate-authority-data"].length > 0, info.spec.cluster.config.audience, process.argv[2], process.env.EXTRA].join("_") }',
      { provideClusterInfo: true, args: ['arg'], env: [{ name: 'EXTRA', value: 'env' }] },
    );
    const { whoAmI } = clientFor({ exec }, { extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'aud' } }] });
    expect((await whoAmI()).authorization).toBe(`Bearer false_${server.url}_true_aud_arg_env`);
  });

  it('that is missing is named with its install hint', async () => {
    const error = await failure(
      clientFor({
        exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-program', installHint: 'Get it at example.test.' },
      }).whoAmI(),
    );
    expect(error).toMatchObject({ code: 'unauthorized', hint: 'Get it at example.test.' });
    expect(error.message).toMatch(/^The credentials program "no-such-program" of context "test" is not in PATH/);
  });

  it.each([
    ['fails', 'process.exit((console.error("please log in"), 3))', 'failed with exit code 3: please log in'],
    ['prints no credential', '{}', 'gave neither a token nor a certificate'],
    ['prints half a certificate', '{ clientCertificateData: "s3cret" }', 'without its key'],
    ['prints no JSON', 'process.exit((console.log("s3cret"), 0))', 'did not print JSON'],
    ['ends itself', 'process.kill(process.pid, "SIGTERM")', 'was ended by SIGTERM'],
  ])('that %s is reported without what it printed', async (_name, status, message) => {
    const error = await failure(clientFor({ exec: program(status) }).whoAmI());
    expect(error).toMatchObject({ code: 'unauthorized', message: expect.stringContaining(message) });
    expect(error.message).not.toContain('s3cret');
  });

  it('of a version that nobody has any more is refused', async () => {
    expect(
      await failure(clientFor({ exec: program('{}', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }) }).whoAmI()),
    ).toMatchObject({ code: 'unsupported' });
  });

  it('that must ask is not run without a terminal', async () => {
    expect(await failure(clientFor({ exec: program('{ token: "t" }', { interactiveMode: 'Always' }) }).whoAmI())).toMatchObject({
      code: 'unauthorized',
      hint: 'Run the command in a terminal.',
    });
  });
});

describe('a proxy', () => {
  const seen: string[] = [];
  beforeEach(() => {
    seen.length = 0;
  });

  /** Proxies by CONNECT. */
  async function httpProxy(tls: boolean): Promise<string> {
    const proxy = await startTestServer(() => {}, tls ? certificates : undefined);
    closers.push(() => proxy.close());
    proxy.onConnect((request, socket) => {
      seen.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
      if (request.headers['proxy-authorization'] === `Basic ${base64('bad:bad')}`)
        return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      const [host, port] = request.url!.split(':');
      const target = connect(Number(port), host === 'kube.test' ? '127.0.0.1' : host!, () => {
        socket.write('HTTP/1.1 200 OK\r\nX-Some: header\r\n\r\n');
        socket.pipe(target).pipe(socket);
      });
      target.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
      socket.on('error', () => target.destroy());
    });
    return proxy.url;
  }

  it('is passed by CONNECT over TLS when its URL says https', async () => {
    // This machine's authorities do not know the proxy's certificate: it is refused before anything is sent.
    expect((await failure(clientFor({}, { 'proxy-url': await httpProxy(true) }).whoAmI())).message).toMatch(
      /^The proxy 127.0.0.1 does not answer \((UNABLE_TO|SELF_SIGNED)/,
    );
    expect(seen).toEqual([]);
  });

  it('is passed by CONNECT with its account', async () => {
    const proxy = new URL(await httpProxy(false));
    proxy.username = 'me';
    proxy.password = 'p@ss';
    await clientFor({}, { 'proxy-url': proxy.href }).whoAmI();
    expect(seen).toEqual([`127.0.0.1:${server.port} Basic ${base64('me:p@ss')}`]);
  });

  it('looks the name of the server up', async () => {
    await clientFor({}, { 'proxy-url': await httpProxy(false), server: `https://kube.test:${server.port}` }).whoAmI();
    expect(seen).toEqual([`kube.test:${server.port} `]);
  });

  it('of the environment is passed for a server elsewhere, unless NO_PROXY has it', async () => {
    const proxy = await httpProxy(false);
    const settings = { server: `https://kube.test:${server.port}` };
    await clientFor({}, settings, { HTTPS_PROXY: proxy }).whoAmI();
    expect(seen).toHaveLength(1);
    expect(await failure(clientFor({}, settings, { HTTPS_PROXY: proxy, NO_PROXY: '.test' }).whoAmI())).toMatchObject({
      code: 'unreachable',
    });
    expect(seen).toHaveLength(1);
  });

  it('that refuses is named', async () => {
    const proxy = new URL(await httpProxy(false));
    expect((await failure(clientFor({}, { 'proxy-url': proxy.href, server: 'https://127.0.0.1:1' }).whoAmI())).message).toBe(
      'The proxy 127.0.0.1 refused to connect to 127.0.0.1:1 (502).',
    );
    proxy.username = proxy.password = 'bad';
    expect((await failure(clientFor({}, { 'proxy-url': proxy.href }).whoAmI())).message).toBe(
      'The proxy 127.0.0.1 wants other credentials.',
    );
    expect((await failure(clientFor({}, { 'proxy-url': 'http://127.0.0.1:1' }).whoAmI())).message).toBe(
      'The proxy 127.0.0.1 does not answer (ECONNREFUSED).',
    );
  });

  /** Proxies by SOCKS5, byte by byte, and with the first bytes of the target glued to its answer. */
  async function socksProxy(account?: string): Promise<number> {
    const proxy = createTcpServer((socket) => {
      socket.on('error', () => {});
      let held = Buffer.alloc(0);
      let step: 'greeting' | 'account' | 'request' = 'greeting';
      socket.on('data', function onData(chunk) {
        held = Buffer.concat([held, chunk]);
        if (step === 'greeting' && held.length >= 2 + held[1]!) {
          held = held.subarray(2 + held[1]!);
          step = account ? 'account' : 'request';
          for (const byte of [5, account ? 2 : 0]) socket.write(Buffer.of(byte));
        } else if (step === 'account' && held.length > 3) {
          const user = held.subarray(2, 2 + held[1]!).toString();
          const password = held.subarray(3 + held[1]!).toString();
          held = Buffer.alloc(0);
          step = 'request';
          socket.write(Buffer.of(1, `${user}:${password}` === account ? 0 : 1));
        } else if (step === 'request' && held.length > 7) {
          const named = held[3] === 3;
          const host = named ? held.subarray(5, 5 + held[4]!).toString() : [...held.subarray(4, 8)].join('.');
          const port = held.readUInt16BE(named ? 5 + held[4]! : 8);
          seen.push(`${host}:${port}`);
          socket.off('data', onData);
          const target = connect(port, host === 'kube.test' ? '127.0.0.1' : host, () => {
            socket.write(Buffer.of(5, 0, 0, 3, 4, 1, 1, 1, 1, 0, 0));
            socket.pipe(target).pipe(socket);
          });
          target.on('error', () => socket.end(Buffer.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0)));
        }
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closers.push(() => proxy.close());
    return (proxy.address() as AddressInfo).port;
  }

  it('is passed by SOCKS5, by address and by name, with an account', async () => {
    await clientFor({}, { 'proxy-url': `socks5://127.0.0.1:${await socksProxy()}` }).whoAmI();
    await clientFor({}, { 'proxy-url': `socks5://127.0.0.1:${await socksProxy()}`, server: `https://kube.test:${server.port}` }).whoAmI();
    const port = await socksProxy('me:pass');
    await clientFor({}, { 'proxy-url': `socks5://me:pass@127.0.0.1:${port}` }).whoAmI();
    expect(seen).toEqual([`127.0.0.1:${server.port}`, `kube.test:${server.port}`, `127.0.0.1:${server.port}`]);
    expect((await failure(clientFor({}, { 'proxy-url': `socks5://me:wrong@127.0.0.1:${port}` }).whoAmI())).message).toBe(
      'The proxy 127.0.0.1 wants other credentials.',
    );
    expect(
      (await failure(clientFor({}, { 'proxy-url': `socks5://127.0.0.1:${await socksProxy()}`, server: 'https://127.0.0.1:1' }).whoAmI()))
        .message,
    ).toContain('cannot connect to 127.0.0.1:1');
  });

  it.each([
    ['example.test', 'https://example.test', true],
    ['example.test', 'https://a.example.test', true],
    ['.example.test', 'https://example.test', false],
    ['*.example.test', 'https://a.example.test', true],
    ['ample.test', 'https://example.test', false],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['fd00::/8', 'https://[fd00::1]', true],
    ['fd00::1', 'https://[fd00::1]', true],
    ['example.test:6443', 'https://example.test:6443', true],
    ['example.test:6443', 'https://example.test', false],
    ['*', 'https://example.test', true],
    ['', 'https://localhost', true],
    ['', 'https://127.0.0.9:1', true],
    ['', 'https://example.test', false],
  ])('is left out by NO_PROXY=%s for %s: %s', (noProxy, url, expected) => expect(bypassesProxy(new URL(url), noProxy)).toBe(expected));

  it('of the environment may come without a scheme', () => {
    expect(proxyFor(new URL('https://example.test'), undefined, { https_proxy: 'proxy:3128' }, 'c')?.href).toBe('http://proxy:3128/');
    expect(proxyFor(new URL('http://example.test'), undefined, { HTTPS_PROXY: 'proxy:3128' }, 'c')).toBeUndefined();
  });
});

describe('a plain http server', () => {
  it('is talked to without TLS', async () => {
    const plain: Server = createServer((_, response) => answerJson(response, { metadata: { name: 'a' } }));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    closers.push(() => plain.close());
    const { client } = clientFor({}, { server: `http://127.0.0.1:${(plain.address() as AddressInfo).port}` });
    expect((await client.get(secrets, 'a', { namespace: 'n' })).metadata?.name).toBe('a');
  });
});
