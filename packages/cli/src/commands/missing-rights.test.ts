import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { restartApp } from './app/restart.ts';
import { applyManifests } from './apply.ts';
import { restartService } from './service/restart.ts';

const apiVersion = 'skipper.dev/v1alpha1';
const objects: Record<string, object> = {
  statefulservices: { apiVersion, kind: 'StatefulService', metadata: { name: 'db', namespace: 'default' }, spec: { type: 'postgres' } },
  apps: { apiVersion, kind: 'App', metadata: { name: 'api', namespace: 'default' }, spec: { image: 'api:1' } },
};

/** An API server as somebody meets it who has rights on services and apps and nothing else. */
describe('to somebody with few rights', () => {
  let server: Server;
  let folder: string;
  let kubeconfig: string;
  let changes: string[];
  beforeEach(async () => {
    changes = [];
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://localhost');
      const object = objects[/\/(statefulservices|apps)\/[^/]+$/.exec(pathname)?.[1] ?? ''];
      if (object && request.method !== 'GET') changes.push(pathname);
      const message = `you cannot ${request.method} ${pathname}`;
      const answer = object ?? { apiVersion: 'v1', kind: 'Status', status: 'Failure', reason: 'Forbidden', message, code: 403 };
      response.writeHead(object ? 200 : 403, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    folder = mkdtempSync(join(tmpdir(), 'kip-rights-'));
    kubeconfig = join(folder, 'config');
    const content = {
      'current-context': 'few',
      contexts: [{ name: 'few', context: { cluster: 'few' } }],
      clusters: [{ name: 'few', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }],
    };
    writeFileSync(kubeconfig, JSON.stringify(content));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const noted = () => vi.spyOn(process.stderr, 'write').mockReturnValue(true);

  it('an app is not restarted when nobody could tell how that goes', async () => {
    noted();
    const restarting = restartApp('api', { kubeconfig, wait: true, timeout: 2 });
    await expect(restarting).rejects.toMatchObject({ reason: 'Forbidden', message: expect.stringMatching(/you cannot GET .*deployments/) });
    expect(changes).toEqual([]);
    await restartApp('api', { kubeconfig, wait: false, timeout: 2 });
    expect(changes).toHaveLength(1);
  });

  it('a service is restarted, though its pod cannot be waited for', async () => {
    const write = noted();
    await restartService('db', { kubeconfig, force: true, wait: true, timeout: 2 });
    expect(changes).toHaveLength(1);
    expect(write.mock.calls.map(([text]) => text).join('')).toMatch(/is being restarted.*kip service list/s);
  });

  it('manifests are applied to namespaces that cannot be looked at', async () => {
    const print = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const file = join(folder, 'shop.json');
    const items = [objects['statefulservices'], { ...objects['apps'], metadata: { name: 'api', namespace: 'other' } }];
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await applyManifests({ kubeconfig, file: [file], wait: false, timeout: 2, output: 'text' });
    expect(print.mock.calls.map(([text]) => text).join('')).toMatch(/service\/db +unchanged\n +app\/api +unchanged/);
    expect(changes).toHaveLength(4);
  });
});
