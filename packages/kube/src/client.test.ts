import { getEventListeners } from 'node:events';
import { KipError, secrets } from '@skipper/api';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type ClientOptions } from './client.ts';
import { createConnection } from './connection.ts';
import { KubeError } from './errors.ts';
import { createHttpPool } from './http.ts';
import type { UserEntry } from './kubeconfig.ts';
import { answerJson, bodyOf, startTestServer, testCertificates, type TestCertificates } from './test-server.fixture.ts';
import type { RequestListener, ServerResponse } from 'node:http';

let certificates: TestCertificates;
const closers: (() => unknown)[] = [];
beforeAll(async () => {
  certificates = await testCertificates();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(handler: RequestListener, options: ClientOptions & { user?: UserEntry } = {}) {
  const server = await startTestServer(handler, certificates);
  const client = createClient(server.cluster(options.user), { env: {}, ...options });
  closers.push(
    () => server.close(),
    () => client.close(),
  );
  return { server, client };
}

const failure = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error,
  );
const secret = { metadata: { name: 'a', namespace: 'n' }, data: {} };
const status = (code: number, reason: string, message = reason) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
});

describe('a request', () => {
  it('reuses one connection for requests that follow one another', async () => {
    const { server, client } = await start((_, response) => answerJson(response, secret));
    for (let i = 0; i < 20; i += 1) await client.get(secrets, 'a', { namespace: 'n' });
    expect(server.sockets).toHaveLength(1);
  });

  it('keeps no connection from before a renewal', async () => {
    const { server } = await start(() => {});
    const answers: ServerResponse[] = [];
    server.handler = (_, response) => void answers.push(response);
    const pool = createHttpPool(createConnection(server.cluster()));
    closers.push(() => pool.close());
    const answer = pool.send({ method: 'GET', path: '/' });
    await expect.poll(() => answers.length).toBe(1);
    pool.renew();
    answerJson(answers[0]!, secret);
    await answer;
    // The server itself closes it after five seconds.
    await expect.poll(() => server.sockets[0]!.destroyed, { timeout: 3_000 }).toBe(true);
  });

  it('opens no more than 32 connections for a thousand requests at once', async () => {
    const { server, client } = await start((_, response) => answerJson(response, secret));
    await Promise.all(Array.from({ length: 1000 }, () => client.get(secrets, 'a', { namespace: 'n' })));
    expect(server.sockets.length).toBeLessThanOrEqual(32);
  });

  it('goes below the path of a server behind a gateway', async () => {
    const server = await startTestServer((request, response) => answerJson(response, { metadata: { name: request.url } }));
    const client = createClient({ ...server.cluster(), server: `${server.url}/k8s/clusters/c1/` });
    closers.push(
      () => server.close(),
      () => client.close(),
    );
    expect((await client.get(secrets, 'a', { namespace: 'n' })).metadata?.name).toBe('/k8s/clusters/c1/api/v1/namespaces/n/secrets/a');
  });

  it.each(['', '.', '..', 'a/b', 'a%2Fb'])('refuses the name %j before anything is sent', async (name) => {
    const { server, client } = await start((_, response) => answerJson(response, secret));
    expect((await failure(client.delete(secrets, name, { namespace: 'n' }))).code).toBe('usage');
    expect((await failure(client.get(secrets, 'a', { namespace: name }))).code).toBe('usage');
    expect(server.requests).toHaveLength(0);
  });

  it('gives the reason of a Status, and one of its own for an answer without', async () => {
    const { client } = await start((request, response) => {
      if (request.url?.endsWith('/a')) answerJson(response, status(403, 'Forbidden', 'no'), 403);
      else response.writeHead(401, { 'content-type': 'text/html' }).end('<html>log in</html>');
    });
    expect(await failure(client.get(secrets, 'a', { namespace: 'n' }))).toMatchObject({ code: 403, reason: 'Forbidden', message: 'no' });
    expect(await failure(client.get(secrets, 'b', { namespace: 'n' }))).toMatchObject({
      code: 401,
      reason: 'Unauthorized',
      message: 'the server answered 401',
    });
  });

  it('says that it is no API server when a login page answers', async () => {
    const { client } = await start((_, response) => response.writeHead(200).end('<html>log in</html>'));
    expect(await failure(client.get(secrets, 'a', { namespace: 'n' }))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('does not answer as a Kubernetes API server'),
    });
  });

  it('finds nothing where there is nothing', async () => {
    const { client } = await start((_, response) => answerJson(response, status(404, 'NotFound'), 404));
    expect(await client.find(secrets, 'a', { namespace: 'n' })).toBeUndefined();
    expect(await client.delete(secrets, 'a', { namespace: 'n' })).toBeUndefined();
  });

  it('ends at once when it is aborted, while it waits and while it is read', async () => {
    for (const handler of [() => {}, (_: unknown, response: { write(text: string): void }) => response.write('{')]) {
      const { client } = await start(handler as RequestListener);
      const abort = new AbortController();
      setTimeout(() => abort.abort(new Error('enough')), 50);
      const began = performance.now();
      expect((await failure(client.get(secrets, 'a', { namespace: 'n', signal: abort.signal }))).message).toBe('enough');
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });

  it('sends the preconditions, the propagation and the grace period of a delete', async () => {
    let body = '';
    const { client } = await start(
      (request, response) =>
        void bodyOf(request).then((text) => {
          body = text;
          answerJson(response, { kind: 'Status', status: 'Success', details: { uid: 'u' } });
        }),
    );
    const gone = await client.delete(secrets, 'a', {
      namespace: 'n',
      uid: 'u',
      resourceVersion: '7',
      propagation: 'Foreground',
      gracePeriodSeconds: 0,
    });
    expect(JSON.parse(body)).toMatchObject({
      preconditions: { uid: 'u', resourceVersion: '7' },
      propagationPolicy: 'Foreground',
      gracePeriodSeconds: 0,
    });
    expect(gone).toMatchObject({ kind: 'Secret', metadata: { name: 'a', uid: 'u' } });
  });

  it('sends each kind of patch as its own content type', async () => {
    const types: (string | undefined)[] = [];
    const { server, client } = await start((request, response) => {
      types.push(request.headers['content-type']);
      answerJson(response, secret);
    });
    await client.patch(secrets, 'a', { data: null }, { namespace: 'n' });
    await client.patch(secrets, 'a', [], { namespace: 'n', subresource: 'status' });
    await client.apply(secrets, secret, { fieldManager: 'me too', force: true, dryRun: true });
    expect(types).toEqual(['application/merge-patch+json', 'application/json-patch+json', 'application/apply-patch+yaml']);
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/api/v1/namespaces/n/secrets/a',
      '/api/v1/namespaces/n/secrets/a/status',
      '/api/v1/namespaces/n/secrets/a?fieldManager=me%20too&dryRun=All&force=true',
    ]);
  });
});

describe('a list', () => {
  const page = (names: string[], token?: string) => ({
    items: names.map((name) => ({ metadata: { name } })),
    metadata: { resourceVersion: '5', continue: token },
  });

  it('follows its pages and gives every item its type', async () => {
    const { client } = await start((request, response) =>
      answerJson(response, request.url?.includes('continue=x%2B1') ? page(['c']) : page(['a', 'b'], 'x+1')),
    );
    const { items, resourceVersion } = await client.list(secrets, { namespace: 'n', pageSize: 2 });
    expect(items.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata?.name}`)).toEqual([
      'v1 Secret a',
      'v1 Secret b',
      'v1 Secret c',
    ]);
    expect(resourceVersion).toBe('5');
  });

  it('begins anew when the server forgets it half way, and asks for one piece in the end', async () => {
    const { server, client } = await start((request, response) => {
      if (request.url?.includes('continue=')) answerJson(response, status(410, 'Expired'), 410);
      else answerJson(response, request.url?.includes('limit=') ? page(['a'], 'x') : page(['a', 'b']));
    });
    expect((await client.list(secrets, { pageSize: 1 })).items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b']);
    expect(server.requests).toHaveLength(7);
  });
});

describe('trouble with the server', () => {
  it.each([429, 503])('is waited out for every verb when %i says how long', async (code) => {
    let count = 0;
    const { client } = await start((_, response) =>
      (count += 1) <= 2
        ? answerJson(response, status(code, 'X'), code, { 'retry-after': count === 1 ? '1' : '0' })
        : answerJson(response, secret),
    );
    const began = performance.now();
    await client.create(secrets, secret);
    expect(count).toBe(3);
    expect(performance.now() - began).toBeGreaterThanOrEqual(995);
  });

  it('is reported at once when the server asks for more than half a minute', async () => {
    const { server, client } = await start((_, response) =>
      answerJson(response, status(429, 'TooManyRequests'), 429, { 'retry-after': '120' }),
    );
    expect(await failure(client.get(secrets, 'a', { namespace: 'n' }))).toMatchObject({ reason: 'TooManyRequests', retryAfterMs: 120_000 });
    expect(server.requests).toHaveLength(1);
  });

  it('makes a read try again after 500, and a write not', async () => {
    const { server, client } = await start((request, response) =>
      request.method === 'GET' && server.requests.length > 2
        ? answerJson(response, secret)
        : answerJson(response, status(500, 'InternalError'), 500),
    );
    await client.get(secrets, 'a', { namespace: 'n' });
    expect(server.requests).toHaveLength(3);
    expect(await failure(client.create(secrets, secret))).toMatchObject({ reason: 'InternalError' });
    expect(server.requests).toHaveLength(4);
  });

  it('gives up a wait when it is aborted', async () => {
    const { client } = await start((_, response) => answerJson(response, status(429, 'X'), 429, { 'retry-after': '20' }));
    expect((await failure(client.get(secrets, 'a', { namespace: 'n', signal: AbortSignal.timeout(100) }))).name).toBe('TimeoutError');
  });

  it('sends a read and an apply again when a kept connection turns out to be closed, and never a create', async () => {
    const { server, client } = await start((_, response) => answerJson(response, secret));
    for (const [again, call] of [
      [true, () => client.get(secrets, 'a', { namespace: 'n' })],
      [true, () => client.apply(secrets, secret, { fieldManager: 'x' })],
      [false, () => client.create(secrets, secret)],
    ] as const) {
      server.handler = (_, response) => answerJson(response, secret);
      await client.get(secrets, 'a', { namespace: 'n' });
      const used = server.sockets.length;
      // The server ends the connection in the moment in which it reads the request.
      server.handler = (request, response) => (server.sockets.length === used ? request.socket.destroy() : answerJson(response, secret));
      const before = server.requests.length;
      if (again) expect(await call()).toMatchObject(secret);
      else expect(await failure(call())).toBeInstanceOf(KipError);
      expect(server.requests.length - before).toBe(again ? 2 : 1);
    }
  });

  it('survives a restart of the server, writes included', async () => {
    const first = await startTestServer((_, response) => answerJson(response, secret), certificates);
    const client = createClient(first.cluster(), { env: {} });
    closers.push(() => client.close());
    await Promise.all(Array.from({ length: 8 }, () => client.get(secrets, 'a', { namespace: 'n' })));
    await first.close();
    const second = await startTestServer((_, response) => answerJson(response, secret), certificates, first.port);
    closers.push(() => second.close());
    expect(await client.create(secrets, secret)).toMatchObject(secret);
  });

  it('names server and context when nothing listens, within two seconds', async () => {
    const { server, client } = await start(() => {});
    await server.close();
    const began = performance.now();
    const error = await failure(client.create(secrets, secret));
    expect(error).toMatchObject({ code: 'unreachable', hint: expect.any(String) });
    expect(error.message).toBe(`The cluster of context "test" (${server.url}) does not answer: the connection was refused.`);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('is unreachable when the server is silent, before the head and in the body', async () => {
    for (const handler of [() => {}, (_: unknown, response: { write(text: string): void }) => response.write('{')]) {
      const { client } = await start(handler as RequestListener, { answerTimeoutMs: 200 });
      expect(await failure(client.get(secrets, 'a', { namespace: 'n' }))).toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining('it does not answer in time'),
      });
    }
  });

  it('is unreachable when the server is silent about a stream', async () => {
    const { server, client } = await start(() => {}, { answerTimeoutMs: 200 });
    server.onUpgrade(() => {});
    expect(await failure(client.portForward('p', { namespace: 'n' }).ready())).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('it does not answer in time'),
    });
    expect(await failure(client.exec('p', { namespace: 'n', command: ['true'] }))).toMatchObject({ code: 'unreachable' });
  });

  it('is unreachable when an answer breaks off', async () => {
    const { server, client } = await start((request, response) => {
      response.write('{"items":');
      setTimeout(() => request.socket.destroy(), 20);
    });
    expect(await failure(client.list(secrets))).toMatchObject({ code: 'unreachable' });
    expect(server.requests.length).toBeGreaterThan(1);
  });
});

describe('a watch', () => {
  const event = (type: string, name: string) => `${JSON.stringify({ type, object: { metadata: { name, resourceVersion: '1' } } })}\n`;
  const collect = async (events: AsyncIterable<{ object: { metadata?: { name?: string } } }>) => {
    const names: (string | undefined)[] = [];
    for await (const { object } of events) names.push(object.metadata?.name);
    return names;
  };

  it('reads events that are cut anywhere, within a character too', async () => {
    const bytes = Buffer.from(event('ADDED', 'größe-€-😀') + event('MODIFIED', 'b') + event('DELETED', 'c'));
    const { client } = await start((_, response) => {
      response.writeHead(200);
      let at = 0;
      const next = (): void => {
        if (at >= bytes.length) return void response.end();
        response.write(bytes.subarray(at, (at += 3)), () => setImmediate(next));
      };
      next();
    });
    expect(await collect(client.watch(secrets, { resourceVersion: '0' }))).toEqual(['größe-€-😀', 'b', 'c']);
  });

  it('throws an ERROR event as KubeError', async () => {
    const { client } = await start(
      (_, response) =>
        void response.writeHead(200).end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired', 'too old') })}\n`),
    );
    const error = await failure(collect(client.watch(secrets, { resourceVersion: '0' })));
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ code: 410, reason: 'Expired' });
  });

  it.each(['hello\n', '{"type":"ADDED"}\n', 'null\n', '{"type":"WHAT","object":{}}\n'])('refuses the garbage %j', async (garbage) => {
    const { client } = await start((_, response) => void response.writeHead(200).end(garbage));
    expect(await failure(collect(client.watch(secrets, { resourceVersion: '0' })))).toMatchObject({ code: 'unreachable' });
  });

  it('is unreachable when its connection is reset, and ends quietly when the client closes', async () => {
    const { server, client } = await start((_, response) => void response.writeHead(200).write(event('ADDED', 'a')));
    const broken = client.watch(secrets, { resourceVersion: '0' })[Symbol.asyncIterator]();
    await broken.next();
    server.sockets.at(-1)!.destroy();
    expect(await failure(broken.next())).toMatchObject({ code: 'unreachable' });
    const closed = client.watch(secrets, { resourceVersion: '0' })[Symbol.asyncIterator]();
    await closed.next();
    const end = closed.next();
    client.close();
    expect((await end).done).toBe(true);
  });

  it('ends at once by its signal and by return, also while it waits', async () => {
    const { server, client } = await start((_, response) => void response.writeHead(200).write(event('ADDED', 'a')));
    const abort = new AbortController();
    const aborted = client.watch(secrets, { resourceVersion: '0', signal: abort.signal })[Symbol.asyncIterator]();
    await aborted.next();
    const waiting = aborted.next();
    abort.abort(new Error('enough'));
    expect((await failure(waiting)).message).toBe('enough');
    const returned = client.watch(secrets, { resourceVersion: '0' })[Symbol.asyncIterator]();
    await returned.next();
    const pending = returned.next();
    await returned.return!();
    expect((await pending).done).toBe(true);
    await expect.poll(() => server.sockets.filter(({ destroyed }) => !destroyed).length).toBe(0);
  });

  it.each(['its end', 'return', 'a failure', 'the signal'])('leaves nothing at its signal after %s', async (how) => {
    const answers: ServerResponse[] = [];
    const { client } = await start((_, response) => {
      answers.push(response);
      response.writeHead(200).write(event('ADDED', 'a'));
    });
    const abort = new AbortController();
    const listeners = () => getEventListeners(abort.signal, 'abort').length;
    const watch = client.watch(secrets, { resourceVersion: '0', signal: abort.signal })[Symbol.asyncIterator]();
    await watch.next();
    expect(listeners()).toBe(1);
    const next = watch.next().catch(() => {});
    if (how === 'its end') answers[0]!.end();
    else if (how === 'return') await watch.return!();
    else if (how === 'a failure') answers[0]!.destroy();
    else abort.abort();
    await next;
    expect(listeners()).toBe(0);
  });

  it('is not cut off by the time that an answer may take', async () => {
    const { client } = await start(
      (_, response) => {
        response.writeHead(200).write(event('ADDED', 'a'));
        setTimeout(() => response.end(event('ADDED', 'b')), 3000);
      },
      { answerTimeoutMs: 1000 },
    );
    expect(await collect(client.watch(secrets, { resourceVersion: '0' }))).toEqual(['a', 'b']);
  });
});
