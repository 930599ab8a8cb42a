import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { vi } from 'vitest';
import { conditionTypes, type KubeObject, type ServiceType, type StatefulService } from '@skipper/api';

export interface TestApi {
  kubeconfig: string;
  /** By their path's end, as `pods/db-0`. What is replaced is kept, and what is patched of metadata. */
  objects: Record<string, object>;
  close(): void;
}

/** An API server with these objects in every namespace, which nobody looks after. Watches are told nothing. */
export async function startTestApi(objects: Record<string, object>): Promise<TestApi> {
  objects['/version'] = { gitVersion: 'v1.30.0' };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const [plural = '', name = ''] = pathname.split('/').slice(-2);
    const status = (code: number, reason: string): object => ({ apiVersion: 'v1', kind: 'Status', status: 'Failure', reason, code });
    const answer = (body: object): void => {
      response.writeHead((body as { code?: number }).code ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.method === 'POST') return answer((await json(request)) as object);
    if (request.method === 'PUT') {
      const object = (await json(request)) as KubeObject;
      objects[`${plural}/${name}`] = { ...object, metadata: { ...object.metadata, generation: 2 } };
    }
    if (request.method === 'PATCH') {
      const object = objects[`${plural}/${name}`] as KubeObject;
      objects[`${plural}/${name}`] = { ...object, metadata: { ...object.metadata, ...((await json(request)) as KubeObject).metadata } };
    }
    const found = objects[`${plural}/${name}`];
    if (found) return answer(found);
    if (searchParams.has('watch')) return void response.writeHead(200).flushHeaders();
    if (/^\/apis\/(apiextensions|coordination)/.test(pathname)) return answer(status(403, 'Forbidden'));
    const items = Object.entries(objects).flatMap(([path, object]) => (path.startsWith(`${name}/`) ? [object] : []));
    const wanted = searchParams.get('fieldSelector')?.replace('metadata.name=', `${name}/`);
    if (wanted) return answer({ metadata: { resourceVersion: '1' }, items: objects[wanted] ? [objects[wanted]] : [] });
    return answer(items.length > 0 ? { metadata: { resourceVersion: '1' }, items } : status(404, 'NotFound'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'kip-api-'));
  const kubeconfig = join(folder, 'config');
  const content = {
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }],
  };
  writeFileSync(kubeconfig, JSON.stringify(content));
  return {
    kubeconfig,
    objects,
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A service that runs, and its credentials, as {@link startTestApi} takes them. */
export function runningService(name: string, type: ServiceType, port: number): Record<string, object> {
  const data = { host: `${name}.shop-test.svc.cluster.local`, port: String(port), username: 'skipper', password: 'secret' };
  const service: StatefulService = {
    metadata: { name, namespace: 'shop-test', generation: 1 },
    spec: { type },
    status: {
      observedGeneration: 1,
      binding: { name: `${name}-credentials` },
      conditions: [
        { type: conditionTypes.ready, status: 'True', reason: 'Running', message: 'It runs.', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
    },
  };
  return {
    [`statefulservices/${name}`]: service,
    [`secrets/${name}-credentials`]: {
      data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
    },
  };
}

/** What is printed from now on. */
export function printed(): { stdout(): string; stderr(): string } {
  const [stdout, stderr] = [process.stdout, process.stderr].map((stream) => {
    const write = vi.spyOn(stream, 'write').mockReturnValue(true);
    return () => write.mock.calls.map(([text]) => String(text)).join('');
  });
  return { stdout: stdout!, stderr: stderr! };
}
