import { randomBytes } from 'node:crypto';
import { namespaces } from '@skipper/api';
import type { WatchEvent } from '@skipper/kube';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { ask, createNamespace, kube, minorVersion, pathOf } from './support/cluster.ts';
import { configMaps } from './support/kinds.ts';
import { until } from './support/until.ts';

const namespace = await createNamespace('watch');
const collection = pathOf(configMaps, namespace);
const create = (name: string, labels: Record<string, string> = {}) => kube.create(configMaps, { metadata: { namespace, name, labels } });
const now = async () => (await kube.list(configMaps, { namespace })).resourceVersion;

/** Collects `count` events, bookmarks left out, then ends the watch. */
async function collect(
  count: number,
  options: { resourceVersion: string; labelSelector?: string; fieldSelector?: string },
): Promise<WatchEvent<ConfigMap>[]> {
  const seen: WatchEvent<ConfigMap>[] = [];
  for await (const event of kube.watch(configMaps, { namespace, timeoutSeconds: 180, ...options })) {
    if (event.type !== 'BOOKMARK') seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}
/** What a watch gives in one second. A busy server may have given nothing by then, and is asked again. */
async function glimpse(query: string, options: Parameters<typeof ask>[2] = {}): Promise<WatchEvent<ConfigMap>[]> {
  const path = `${collection}?watch=true&timeoutSeconds=1&${query}`;
  const text = await until('something is told', async () => (await ask('GET', path, options)).text.trim() || undefined);
  return text.split('\n').map((line) => JSON.parse(line) as WatchEvent<ConfigMap>);
}
const brief = (events: WatchEvent<ConfigMap>[]) => events.map(({ type, object }) => `${type} ${object.metadata?.name}`);

describe('a watch', () => {
  it('gives what happened since a version, in order', async () => {
    const resourceVersion = await now();
    const created = await create('order', { step: '1' });
    const changed = await kube.patch(configMaps, 'order', { metadata: { labels: { step: '2' } } }, { namespace });
    await kube.delete(configMaps, 'order', { namespace });
    const events = await collect(3, { resourceVersion, fieldSelector: 'metadata.name=order' });
    expect(brief(events)).toEqual(['ADDED order', 'MODIFIED order', 'DELETED order']);
    expect(events[0]?.object).toEqual(created);
    expect(events[1]?.object).toEqual(changed);
    expect(events[2]?.object.metadata?.labels).toEqual({ step: '2' });
    const versions = events.map(({ object }) => Number(object.metadata?.resourceVersion));
    expect(versions[2]).toBeGreaterThan(versions[1]!);
  });

  it('goes on from the version of an event without a gap or a repetition', async () => {
    const resourceVersion = await now();
    const names = Array.from({ length: 10 }, (_, index) => `gap-${index}`);
    for (const name of names) await create(name, { gap: 'yes' });
    const first = await collect(4, { resourceVersion, labelSelector: 'gap' });
    const rest = await collect(6, { resourceVersion: first[3]!.object.metadata!.resourceVersion!, labelSelector: 'gap' });
    expect(brief([...first, ...rest])).toEqual(names.map((name) => `ADDED ${name}`));
  });

  it('is told at once', async () => {
    let took = Number.POSITIVE_INFINITY;
    // A busy machine may hold up any one of them, connecting included.
    for (let attempt = 0; attempt < 10 && took >= 1_000; attempt++) {
      const name = `prompt-${attempt}`;
      const events = collect(1, { resourceVersion: await now(), fieldSelector: `metadata.name=${name}` });
      const started = Date.now();
      await create(name);
      expect(brief(await events)).toEqual([`ADDED ${name}`]);
      took = Date.now() - started;
    }
    expect(took).toBeLessThan(1_000);
  });

  it('says ADDED and DELETED of objects that come to match its selector or no longer do', async () => {
    await create('moving', { in: 'no' });
    const resourceVersion = await now();
    const label = (value: string) => kube.patch(configMaps, 'moving', { metadata: { labels: { in: value } } }, { namespace });
    await label('yes');
    await kube.patch(configMaps, 'moving', { data: { a: '1' } }, { namespace });
    const out = await label('no');
    await label('yes');
    await kube.delete(configMaps, 'moving', { namespace });
    const events = await collect(5, { resourceVersion, labelSelector: 'in=yes' });
    expect(brief(events)).toEqual(['ADDED moving', 'MODIFIED moving', 'DELETED moving', 'ADDED moving', 'DELETED moving']);
    // What left is shown as it was when it still matched, in the version in which it left.
    expect(events[2]?.object.metadata).toMatchObject({ labels: { in: 'yes' }, resourceVersion: out.metadata?.resourceVersion });
  });

  it('without a version begins with what is there', async () => {
    await create('there', { there: 'yes' });
    expect(await glimpse('labelSelector=there')).toMatchObject([
      { type: 'ADDED', object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'there' } } },
    ]);
  });

  it('ends after the time it was given', async () => {
    const started = Date.now();
    // A cluster may be about to put an object of its own into the namespace.
    const options = { namespace, resourceVersion: await now(), labelSelector: 'never=matches', timeoutSeconds: 1 };
    for await (const event of kube.watch(configMaps, options)) expect(event.type).toBe('BOOKMARK');
    expect(Date.now() - started).toBeGreaterThan(800);
    expect(Date.now() - started).toBeLessThan(60_000);
  });

  it.skipIf(minorVersion < 21)('is given bookmarks before its end, which name a version to go on from', async () => {
    const resourceVersion = await now();
    // The bookmark's version takes in changes of objects that this watch is not for.
    const latest = await create('not-for-this-watch');
    let bookmark: string | undefined;
    // No server owes one: Kubernetes leaves it out where it is too busy.
    for (let attempt = 0; attempt < 10 && bookmark === undefined; attempt++)
      for await (const { type, object } of kube.watch(configMaps, {
        namespace,
        resourceVersion,
        labelSelector: 'never=matches',
        timeoutSeconds: 8,
      })) {
        expect(type).toBe('BOOKMARK');
        expect(Object.keys(object.metadata ?? {}).filter((key) => key !== 'creationTimestamp' && key !== 'annotations')).toEqual([
          'resourceVersion',
        ]);
        bookmark = object.metadata?.resourceVersion;
      }
    expect(Number(bookmark)).toBeGreaterThanOrEqual(Number(latest.metadata?.resourceVersion));
    await create('after-bookmark');
    expect(brief(await collect(1, { resourceVersion: bookmark!, fieldSelector: 'metadata.name=after-bookmark' }))).toEqual([
      'ADDED after-bookmark',
    ]);
  });

  it('of one object by name sees that object only', async () => {
    const resourceVersion = await now();
    await create('single-a');
    await create('single-b');
    expect(brief(await collect(1, { resourceVersion, fieldSelector: 'metadata.name=single-b' }))).toEqual(['ADDED single-b']);
  });

  it('across namespaces sees each namespace', async () => {
    const second = await createNamespace('watch-second');
    const { resourceVersion } = await kube.list(namespaces);
    await create('everywhere');
    await kube.create(configMaps, { metadata: { namespace: second, name: 'everywhere' } });
    const seen: string[] = [];
    for await (const { type, object } of kube.watch(configMaps, {
      resourceVersion,
      fieldSelector: 'metadata.name=everywhere',
      timeoutSeconds: 180,
    })) {
      if (type === 'ADDED') seen.push(object.metadata?.namespace ?? '');
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([namespace, second]);
  });

  it('refuses a malformed version', async () => {
    expect((await ask('GET', `${collection}?watch=true&resourceVersion=yesterday`)).status).toBeGreaterThanOrEqual(400);
  });

  it('gives each of many watchers every event, in the same order', async () => {
    const resourceVersion = await now();
    const watchers = Array.from({ length: 20 }, () => collect(30, { resourceVersion, labelSelector: 'crowd' }));
    await Promise.all(Array.from({ length: 30 }, (_, index) => create(`crowd-${index}`, { crowd: 'yes' })));
    const orders = (await Promise.all(watchers)).map((events) => brief(events).join());
    expect(new Set(orders).size).toBe(1);
    expect(new Set(orders[0]?.split(',')).size).toBe(30);
  });

  it('of tables gives rows', async () => {
    await create('row', { row: 'yes' });
    const [event] = await glimpse('labelSelector=row', { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    expect(event).toMatchObject({
      type: 'ADDED',
      object: { kind: 'Table', rows: [{ cells: ['row', 0, expect.any(String)] }] },
    });
  });

  it('does not hold up those who watch when one does not read', async () => {
    const resourceVersion = await now();
    const stalled = kube
      .watch(configMaps, { namespace, resourceVersion, labelSelector: 'bulky', timeoutSeconds: 180 })
      [Symbol.asyncIterator]();
    const first = stalled.next();
    const reading = collect(12, { resourceVersion, labelSelector: 'bulky' });
    const data = { noise: randomBytes(200_000).toString('base64') };
    for (let index = 0; index < 12; index++)
      await kube.create(configMaps, { metadata: { namespace, name: `bulky-${index}`, labels: { bulky: 'yes' } }, data });
    expect(await reading).toHaveLength(12);
    expect((await first).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'bulky-0' } } });
    await stalled.return?.();
    await until('the big objects are gone', async () => (await ask('DELETE', `${collection}?labelSelector=bulky`)).status === 200);
  });
});
