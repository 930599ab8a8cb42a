import { secrets, type KubeObject } from '@skipper/api';
import { getEventListeners } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from './client.ts';
import { startInformer, type InformerTuning } from './informer.ts';
import { answerJson, startTestServer } from './test-server.fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Event = { type: string; object: unknown };
const secret = (name: string, resourceVersion: string, uid = name): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'n', uid, resourceVersion },
});
const expired: Event = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } };

/** A collection in memory, served with list and watch by a real server. Watches are what a test does with them. */
async function collection(tuning: InformerTuning = {}) {
  const objects = new Map<string, Secret>();
  const watches: ServerResponse[] = [];
  const state = {
    version: 1,
    lists: 0,
    /** Answers a watch; default: stays open. */
    onWatch: (_request: IncomingMessage, response: ServerResponse): void => void response.writeHead(200).flushHeaders(),
  };
  const server = await startTestServer((request, response) => {
    if (request.url?.includes('watch=1')) {
      watches.push(response);
      return state.onWatch(request, response);
    }
    state.lists += 1;
    answerJson(response, { items: [...objects.values()], metadata: { resourceVersion: String(state.version) } });
  });
  const client = createClient(server.cluster(), { env: {} });
  const logs: string[] = [];
  const seen: string[] = [];
  const informer = startInformer(
    client,
    secrets,
    { namespace: 'n', log: (message) => void logs.push(message) },
    { backoff: { firstMs: 10, mostMs: 50 }, ...tuning },
  );
  informer.subscribe(({ type, object, old }) =>
    seen.push(`${type} ${object.metadata?.name}@${object.metadata?.resourceVersion}${old ? ` was ${old.metadata?.resourceVersion}` : ''}`),
  );
  closers.push(
    () => server.close(),
    () => client.close(),
    () => informer.close(),
  );
  return {
    server,
    client,
    informer,
    watches,
    state,
    logs,
    seen,
    put(name: string, uid = name) {
      objects.set(name, secret(name, String((state.version += 1)), uid));
      return objects.get(name)!;
    },
    remove(name: string) {
      const object = { ...objects.get(name)!, metadata: { ...objects.get(name)!.metadata, resourceVersion: String((state.version += 1)) } };
      objects.delete(name);
      return object;
    },
    send: (event: Event) => void watches.at(-1)!.write(`${JSON.stringify(event)}\n`),
    async watched(count = 1) {
      await expect.poll(() => watches.length).toBeGreaterThanOrEqual(count);
    },
  };
}

const versionOf = (request: IncomingMessage | undefined) => new URL(request!.url!, 'http://x').searchParams.get('resourceVersion');

describe('an informer', () => {
  it('lists once, then follows the watch', async () => {
    const { informer, put, remove, send, seen, state, watched } = await collection();
    put('a');
    await informer.synced();
    await watched();
    send({ type: 'ADDED', object: put('b') });
    send({ type: 'MODIFIED', object: put('a') });
    send({ type: 'DELETED', object: remove('b') });
    await expect.poll(() => seen).toEqual(['ADDED a@2', 'ADDED b@3', 'MODIFIED a@4 was 2', 'DELETED b@5 was 3']);
    expect(informer.list('n').map(({ metadata }) => metadata?.name)).toEqual(['a']);
    expect(informer.get('a', 'n')?.metadata?.resourceVersion).toBe('4');
    expect(informer.get('a')).toBeUndefined();
    expect(state.lists).toBe(1);
  });

  it('goes on from the last event or bookmark when a watch is closed or reset, without another list', async () => {
    const { server, watches, informer, put, send, seen, state, watched } = await collection();
    await informer.synced();
    await watched();
    send({ type: 'ADDED', object: put('a') });
    await expect.poll(() => seen.length).toBe(1);
    watches[0]!.end();
    await watched(2);
    expect(versionOf(server.requests.at(-1))).toBe('2');
    send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '17' } } });
    watches[1]!.write('{"type":"ADDED","obj');
    watches[1]!.socket!.resetAndDestroy();
    await watched(3);
    expect(versionOf(server.requests.at(-1))).toMatch(/^(2|17)$/);
    expect(state.lists).toBe(1);
  });

  it('takes up a watch whose server went silent', async () => {
    const { watches, watched, put, send, seen } = await collection({ watchSeconds: 0.1, graceMs: 50 });
    await watched(2);
    await expect.poll(() => watches[0]!.destroyed).toBe(true);
    send({ type: 'ADDED', object: put('a') });
    await expect.poll(() => seen).toEqual(['ADDED a@2']);
  });

  it('tells what was made, changed, deleted and replaced while it did not watch', async () => {
    const { informer, put, remove, send, seen, state, watched } = await collection();
    for (const name of ['kept', 'changed', 'deleted', 'replaced']) put(name);
    await informer.synced();
    await watched();
    seen.length = 0;
    put('changed');
    remove('deleted');
    put('replaced', 'another');
    put('made');
    send(expired);
    await expect.poll(() => seen.length).toBe(5);
    expect(seen.sort()).toEqual([
      'ADDED made@9',
      'ADDED replaced@8',
      'DELETED deleted@4 was 4',
      'DELETED replaced@5 was 5',
      'MODIFIED changed@6 was 3',
    ]);
    expect(state.lists).toBe(2);
  });

  it.each([
    ['410 as an event', (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).end(`${JSON.stringify(expired)}\n`)],
    ['410 as an answer', (_: IncomingMessage, response: ServerResponse) => answerJson(response, expired.object, 410)],
    [
      '500',
      (_: IncomingMessage, response: ServerResponse) => answerJson(response, { kind: 'Status', code: 500, reason: 'InternalError' }, 500),
    ],
    ['garbage', (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).end('garbage\n')],
    ['an end at once', (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).end()],
    ['a reset at once', (request: IncomingMessage) => request.socket.resetAndDestroy()],
    ['404', (_: IncomingMessage, response: ServerResponse) => answerJson(response, { kind: 'Status', code: 404, reason: 'NotFound' }, 404)],
  ])('survives %s at every watch, makes no storm of it, and heals', async (_name, onWatch) => {
    const { informer, server, state, put, seen, watched, watches } = await collection({ backoff: { firstMs: 40, mostMs: 10_000 } });
    const stays = state.onWatch;
    state.onWatch = onWatch;
    await informer.synced();
    const from = performance.now();
    await watched(3);
    await new Promise((resolve) => setTimeout(resolve, from + 1000 - performance.now()));
    // Pauses of 20 to 40, 40 to 80, 80 to 160 … ms: at most six tries in a second, and for each try a list at most.
    expect(watches.length).toBeLessThanOrEqual(7);
    expect(server.requests.length).toBeLessThanOrEqual(14);
    const before = watches.length;
    state.onWatch = stays;
    await watched(before + 1);
    const object = put('a');
    watches.at(-1)!.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    await expect.poll(() => seen).toEqual(['ADDED a@2']);
  });

  it('keeps going when a handler throws, and says so', async () => {
    const { informer, put, send, seen, logs, watched } = await collection();
    const others: string[] = [];
    informer.subscribe(() => {
      throw new Error('my mistake');
    });
    informer.subscribe(({ object }) => others.push(object.metadata!.name!));
    await informer.synced();
    await watched();
    send({ type: 'ADDED', object: put('a') });
    send({ type: 'ADDED', object: put('b') });
    await expect.poll(() => others).toEqual(['a', 'b']);
    expect(seen).toHaveLength(2);
    expect(logs[0]).toContain('my mistake');
  });

  it('waits for a server that comes late, and for one that comes back', async () => {
    const first = await startTestServer(() => {});
    await first.close();
    const client = createClient(first.cluster(), { env: {} });
    const informer = startInformer(client, secrets, {}, { backoff: { firstMs: 10, mostMs: 50 } });
    closers.push(
      () => client.close(),
      () => informer.close(),
    );
    for (const name of ['a', 'b']) {
      const server = await startTestServer(
        (request, response) => {
          if (request.url?.includes('watch=1'))
            return void (versionOf(request) === name ? response.writeHead(200).flushHeaders() : answerJson(response, expired.object, 410));
          answerJson(response, { items: [secret(name, '1')], metadata: { resourceVersion: name } });
        },
        undefined,
        first.port,
      );
      await expect.poll(() => informer.list().map(({ metadata }) => metadata?.name)).toEqual([name]);
      await server.close();
    }
  });

  it('tells a late subscriber of what is there, and a leaver of nothing more', async () => {
    const { informer, put, send, watched, seen } = await collection();
    put('a');
    await informer.synced();
    const late: string[] = [];
    const leave = informer.subscribe(({ type, object }) => late.push(`${type} ${object.metadata?.name}`));
    expect(late).toEqual(['ADDED a']);
    leave();
    await watched();
    send({ type: 'ADDED', object: put('b') });
    await expect.poll(() => seen.length).toBe(2);
    expect(late).toEqual(['ADDED a']);
  });

  it('does not keep managed fields', async () => {
    const { informer, put, watched } = await collection();
    put('a').metadata!.managedFields = [{ manager: 'somebody' }];
    await informer.synced();
    await watched();
    expect((informer.get('a', 'n') as KubeObject).metadata).not.toHaveProperty('managedFields');
  });

  it('gathers nothing, however many watches it makes', async () => {
    const { client, informer, watches, watched } = await collection();
    await watched();
    informer.close();
    const list = vi.spyOn(client, 'list');
    const another = startInformer(client, secrets, {}, { backoff: { firstMs: 10, mostMs: 50 } });
    closers.push(() => another.close());
    for (let watch = 2; watch <= 4; watch++) {
      await watched(watch);
      expect(getEventListeners(list.mock.lastCall![1]!.signal!, 'abort')).toHaveLength(1);
      watches.at(-1)!.end();
    }
  });

  it('ends its connection and its waiters when it is closed', async () => {
    const { watches, informer, watched } = await collection();
    await watched();
    informer.close();
    await expect.poll(() => watches[0]!.destroyed).toBe(true);
    const hanging = await startTestServer(() => {});
    const client = createClient(hanging.cluster(), { env: {} });
    closers.push(
      () => hanging.close(),
      () => client.close(),
    );
    const waiting = startInformer(client, secrets, {});
    await expect(waiting.synced(AbortSignal.timeout(50))).rejects.toThrow(/timeout/i);
    const synced = waiting.synced();
    waiting.close();
    await expect(synced).rejects.toThrow('the informer is closed');
  });
});
