import type { APIGroupList, APIResourceList } from 'kubernetes-types/meta/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { ask, minorVersion } from './support/cluster.ts';

const resourcesAt = async (path: string) =>
  new Map((await ask<APIResourceList>('GET', path)).body.resources.map((resource) => [resource.name, resource]));

describe('discovery', () => {
  it('tells its version', async () => {
    const { body } = await ask<{ major: string; minor: string; gitVersion: string; platform: string }>('GET', '/version');
    expect(body).toMatchObject({
      major: '1',
      minor: expect.stringMatching(/^\d+\+?$/),
      gitVersion: expect.stringMatching(/^v1\.\d+\.\d+/),
      platform: expect.stringMatching(/^\w+\/\w+$/),
    });
  });

  it.each(['/healthz', '/livez', '/readyz'])('says ok at %s', async (path) => {
    expect(await ask('GET', path)).toMatchObject({ status: 200, text: 'ok' });
  });

  it('lists the version of the core group', async () => {
    expect((await ask('GET', '/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
  });

  it('lists the other groups with their preferred versions', async () => {
    const { body } = await ask<APIGroupList>('GET', '/apis');
    expect(body.kind).toBe('APIGroupList');
    const preferred = new Map(body.groups.map(({ name, preferredVersion }) => [name, preferredVersion?.groupVersion]));
    for (const groupVersion of [
      'apps/v1',
      'apiextensions.k8s.io/v1',
      'authorization.k8s.io/v1',
      'coordination.k8s.io/v1',
      'networking.k8s.io/v1',
      'storage.k8s.io/v1',
    ]) {
      expect(preferred.get(groupVersion.split('/')[0]!), groupVersion).toBe(groupVersion);
    }
  });

  it('describes one group', async () => {
    expect((await ask('GET', '/apis/apps')).body).toMatchObject({
      kind: 'APIGroup',
      name: 'apps',
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    });
  });

  it('lists the resources of the core group with their names, verbs and subresources', async () => {
    const resources = await resourcesAt('/api/v1');
    expect(resources.get('pods')).toMatchObject({ kind: 'Pod', namespaced: true, shortNames: ['po'], categories: ['all'] });
    expect([...resources.get('pods')!.verbs].sort()).toEqual([
      'create',
      'delete',
      'deletecollection',
      'get',
      'list',
      'patch',
      'update',
      'watch',
    ]);
    expect(resources.get('namespaces')).toMatchObject({ namespaced: false, shortNames: ['ns'] });
    for (const name of [
      'pods/log',
      'pods/exec',
      'pods/portforward',
      'pods/status',
      'namespaces/finalize',
      'persistentvolumeclaims/status',
      'configmaps',
      'secrets',
      'services',
      'endpoints',
      'events',
      'serviceaccounts',
      'nodes',
      'persistentvolumes',
    ]) {
      expect(resources.has(name), name).toBe(true);
    }
  });

  it('lists the resources of apps with status and scale', async () => {
    const resources = await resourcesAt('/apis/apps/v1');
    expect(resources.get('statefulsets')).toMatchObject({ kind: 'StatefulSet', namespaced: true, shortNames: ['sts'] });
    expect(resources.get('statefulsets/scale')).toMatchObject({ kind: 'Scale', group: 'autoscaling', version: 'v1' });
    for (const name of ['deployments', 'deployments/scale', 'deployments/status', 'replicasets', 'statefulsets/status'])
      expect(resources.has(name), name).toBe(true);
  });

  it('serves the schema of what it serves', async () => {
    const { body } = await ask<{
      swagger: string;
      definitions: Record<string, { 'x-kubernetes-group-version-kind'?: { group: string; kind: string; version: string }[] }>;
    }>('GET', '/openapi/v2');
    expect(body.swagger).toBe('2.0');
    expect(body.definitions['io.k8s.api.apps.v1.StatefulSet']?.['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', kind: 'StatefulSet', version: 'v1' },
    ]);
  });

  it.skipIf(minorVersion < 27)('serves the schema of each group as OpenAPI 3 (Kubernetes 1.27 and later)', async () => {
    const { body } = await ask<{ paths: Record<string, { serverRelativeURL: string }> }>('GET', '/openapi/v3');
    const path = body.paths['apis/apps/v1']?.serverRelativeURL;
    expect(path).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=/);
    const schema = (await ask<{ openapi: string; components: { schemas: Record<string, object> } }>('GET', path!)).body;
    expect(schema.openapi).toMatch(/^3\./);
    expect(schema.components.schemas).toHaveProperty(['io.k8s.api.apps.v1.Deployment']);
  });

  it('answers 404 for a path, a group and a resource that do not exist', async () => {
    expect(await ask('GET', '/nothing/here')).toMatchObject({ status: 404 });
    expect(await ask('GET', '/apis/nothing.example.com/v1/things')).toMatchObject({ status: 404 });
    expect(await ask('GET', '/api/v1/things')).toMatchObject({ status: 404 });
    expect(await ask('GET', '/apis/apps/v7/deployments')).toMatchObject({ status: 404 });
  });
});
