import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchApi } from '../../patch/index.ts';
import { schemaApi } from '../../schema/index.ts';
import { ObjectWriter } from '../objects/object-writer.ts';
import { createRegistry } from '../objects/registry.ts';
import { ObjectStore } from '../store/object-store.ts';
import { loadIdentity, type Identity } from './identity.ts';
import { createObjectRoutes } from './object-routes.ts';
import { startApiServer, type ApiServer } from './server.ts';

let folder: string;
let store: ObjectStore;
let identity: Identity;
let server: ApiServer;
const logged: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-'));
  store = await ObjectStore.open(join(folder, 'store'));
  identity = await loadIdentity(folder);
  const routes = createObjectRoutes(new ObjectWriter(store, schemaApi, patchApi), schemaApi, patchApi);
  const log = (line: string): void => void logged.push(line);
  server = await startApiServer({
    identity,
    port: 0,
    registry: createRegistry(store),
    schema: schemaApi,
    routes,
    node: () => undefined,
    log,
  });
  await ask('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
});
afterAll(async () => {
  await server.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  code: number;
  body: any;
}

function ask(method: string, path: string, body?: unknown, options: { token?: string; type?: string } = {}): Promise<Answer> {
  const { token = identity.tokens.admin, type = 'application/json' } = options;
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'Content-Type': type }) };
    const request = httpsRequest(
      { host: '127.0.0.1', port: server.port, ca: identity.ca, method, path, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ code: response.statusCode!, body: text.startsWith('{') ? JSON.parse(text) : text }));
      },
    );
    request.on('error', reject);
    request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** Sends bytes as they are and gives what comes back until the server hangs up. */
function say(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: identity.ca });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.once('close', () => resolve(text)).once('error', reject);
    socket.write(bytes);
  });
}

const configMaps = '/api/v1/namespaces/default/configmaps';

describe('the server', () => {
  it.each(['/healthz', '/version', '/api', '/openapi/v2', configMaps, '/nowhere'])(
    'tells nobody anything about %s without a token',
    async (path) => {
      expect(await ask('GET', path, undefined, { token: 'guess' })).toMatchObject({
        code: 401,
        body: { kind: 'Status', reason: 'Unauthorized' },
      });
      expect(await ask('GET', path, undefined, { token: '' })).toMatchObject({ code: 401 });
    },
  );

  it('lets the view token read, but no secrets and nothing else', async () => {
    const token = identity.tokens.view;
    expect((await ask('GET', configMaps, undefined, { token })).code).toBe(200);
    expect(await ask('GET', '/api/v1/secrets', undefined, { token })).toMatchObject({
      code: 403,
      body: {
        reason: 'Forbidden',
        message: 'secrets is forbidden: User "view" cannot list resource "secrets" in API group "" at the cluster scope',
      },
    });
    expect(await ask('DELETE', `${configMaps}/x`, undefined, { token })).toMatchObject({
      code: 403,
      body: {
        message: 'configmaps "x" is forbidden: User "view" cannot delete resource "configmaps" in API group "" in the namespace "default"',
        details: { name: 'x', kind: 'configmaps' },
      },
    });
    const review = { spec: { resourceAttributes: { verb: 'create', resource: 'pods' } } };
    expect(await ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review, { token })).toMatchObject({
      code: 201,
      body: { status: { allowed: false } },
    });
  });

  it.each([
    '//[',
    '//%',
    'http://[/',
    '/api/v1/%',
    '/%00',
    '/api/v1/namespaces/..%2f..',
    '/apis//v1',
    '/api/v1/namespaces/default/configmaps/a%2Fb',
    '/watch',
    '*',
  ])('goes on after a request or an upgrade for the target %s', async (target) => {
    const ending = `Host: kip\r\nAuthorization: Bearer ${identity.tokens.admin}\r\n`;
    expect(await say(`GET ${target} HTTP/1.1\r\n${ending}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 40[04] /);
    expect(await say(`GET ${target} HTTP/1.1\r\n${ending}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)).toMatch(/^HTTP\/1.1 40[04] /);
    expect(await say(`GET ${target} HTTP/1.1\r\nHost: kip\r\nConnection: Upgrade\r\nUpgrade: spdy/3.1\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 40[014] /,
    );
    expect((await ask('GET', '/healthz')).code).toBe(200);
  });

  it('answers garbage with what is wrong, never with a failure of its own', async () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held' } };
    await ask('POST', configMaps, object);
    await ask('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'held' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const deployment = '/apis/apps/v1/namespaces/default/deployments/held';
    const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
    const bodies = [
      'null',
      '5',
      'true',
      '"text"',
      '[]',
      '[null]',
      '[5]',
      '{}',
      '',
      '{',
      '{"metadata":null}',
      '{"metadata":5}',
      '{"metadata":{"name":5}}',
      '{"spec":null}',
      '{"spec":5}',
      '{"spec":{"replicas":"many"}}',
      '{"metadata":{"labels":5}}',
      '{"metadata":{"annotations":[1]}}',
      '{"metadata":{"finalizers":5}}',
      '{"metadata":{"finalizers":[5]}}',
      '{"metadata":{"ownerReferences":[null]}}',
      '{"metadata":{"ownerReferences":5}}',
      '{"metadata":{"managedFields":[5]}}',
      '{"data":5}',
      '{"stringData":5}',
      '{"data":{"a":5}}',
      '{"__proto__":{"a":1}}',
      '{"metadata":{"__proto__":{"name":"x"}}}',
      '{"metadata":{"constructor":{"prototype":{"x":1}}}}',
      '{"dryRun":5}',
      '{"preconditions":5}',
      '{"deleteOptions":5}',
      '{"spec":{"finalizers":5}}',
      '{"spec":{"template":5}}',
      '{"spec":{"template":{"spec":{"containers":5}}}}',
      '{"spec":{"template":{"spec":{"containers":[5]}}}}',
      '{"spec":{"containers":[{}]}}',
      '{"spec":{"containers":[null]}}',
      '{"spec":{"ports":5}}',
      '{"spec":{"ports":[5]}}',
      '{"spec":{"resources":{"requests":{"storage":"lots"}}}}',
      '{"spec":{"versions":5}}',
      '{"spec":{"versions":[null]}}',
      '{"spec":{"names":5,"versions":[]}}',
      deep,
      'a: [',
      '\u0000',
    ];
    const posts = [
      configMaps,
      '/api/v1/namespaces/default/secrets',
      '/api/v1/namespaces/default/pods',
      '/api/v1/namespaces/default/services',
      '/api/v1/namespaces/default/persistentvolumeclaims',
      '/api/v1/namespaces/default/events',
      '/api/v1/namespaces',
      '/apis/apps/v1/namespaces/default/statefulsets',
      '/apis/apps/v1/namespaces/default/deployments',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      '/api/v1/namespaces/default/pods/x/eviction',
    ];
    const requests: [string, string, string?][] = posts.map((path) => ['POST', path]);
    for (const path of [`${configMaps}/held`, deployment, `${deployment}/scale`, `${deployment}/status`, '/api/v1/namespaces/default']) {
      requests.push(['PUT', path], ['DELETE', `${path}-none`]);
      for (const type of ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'])
        requests.push(['PATCH', `${path}?fieldManager=m&dryRun=All`, `application/${type}`]);
    }
    requests.push(['PUT', '/api/v1/namespaces/default/finalize']);
    const failed: string[] = [];
    for (const [method, path, type] of requests) {
      for (const body of bodies) {
        const { code, body: status } = await ask(method, path, body, type ? { type } : {});
        if (code >= 500) failed.push(`${method} ${path} ${type ?? ''} ${body.slice(0, 60)}: ${JSON.stringify(status).slice(0, 200)}`);
      }
    }
    expect(failed).toEqual([]);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  }, 120_000);

  it.each([
    'labelSelector=%00',
    'labelSelector=a%20in',
    'fieldSelector=constructor%3Dx',
    'fieldSelector=x',
    'limit=-1',
    'limit=many',
    'continue=none',
    'resourceVersion=-1',
    'watch=1&resourceVersion=x',
    'watch=1&timeoutSeconds=-1',
  ])('refuses the query %s', async (query) => {
    expect((await ask('GET', `${configMaps}?${query}`)).code).toBe(400);
  });
});

describe('a watch that is read slowly', () => {
  const large = Array.from({ length: 20 }, (_, index) => `large-${index + 10}`);
  beforeAll(async () => {
    await ask('POST', '/api/v1/namespaces', { metadata: { name: 'large' } });
    const data = { text: 'x'.repeat(950_000) };
    for (const name of large) await ask('POST', '/api/v1/namespaces/large/configmaps', { metadata: { name }, data });
  });
  /** Its head alone has been read. */
  const begin = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const path = '/api/v1/namespaces/large/configmaps?watch=1&resourceVersion=0';
      const headers = { Authorization: `Bearer ${identity.tokens.admin}` };
      httpsRequest({ host: '127.0.0.1', port: server.port, ca: identity.ca, path, headers, agent: false }, resolve)
        .once('error', reject)
        .end();
    });
  /** Reads it until it has told `count` events or has ended. */
  const read = async (response: IncomingMessage, count = Infinity): Promise<string[]> => {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      if (chunk.includes('\n') && text.split('\n').length > count) break;
    }
    const events = text.split('\n').slice(0, -1);
    return events.map((line) => JSON.parse(line)).map(({ type, object }) => `${type} ${object.metadata.name}`);
  };
  const added = large.map((name) => `ADDED ${name}`);

  it('tells everything, in order', async () => {
    const response = await begin();
    await ask(
      'PATCH',
      '/api/v1/namespaces/large/configmaps/large-10',
      { metadata: { labels: { a: 'b' } } },
      { type: 'application/merge-patch+json' },
    );
    expect(await read(response, large.length + 1)).toEqual([...added, 'MODIFIED large-10']);
  });

  it('ends where more happens meanwhile than is kept', async () => {
    const response = await begin();
    const key = { storage: 'core/configmaps', namespace: 'default', name: 'counter' };
    const change = (count: number) =>
      store.update(key, () => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'default', name: 'counter' },
        data: { count },
      }));
    await Promise.all(Array.from({ length: 6_000 }, (_, count) => change(count)));
    const events = await read(response);
    expect(events).toEqual(added.slice(0, events.length));
  });
});
