import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { annotations, stalledCondition, type App, type StatefulService } from '@skipper/api';
import { restartApp } from './app/restart.ts';
import { restartService } from './service/restart.ts';
import { printed, runningService, startTestApi, type TestApi } from './test-api.fixture.ts';

const stalled = {
  observedGeneration: 1,
  conditions: [
    { type: 'Ready', status: 'False', reason: 'VersionRefused', message: 'It is refused.' },
    { type: stalledCondition, status: 'True', reason: 'VersionRefused', message: 'It is refused.' },
  ],
};
const services = runningService('db', 'postgres', 5432);
const service = { ...(services['statefulservices/db'] as StatefulService), status: stalled };
const app = { metadata: { name: 'api', namespace: 'shop-test', generation: 1 }, spec: { image: 'api:1' }, status: stalled };
const pod = (metadata: object) => ({ metadata: { name: 'db-0', namespace: 'shop-test', uid: 'old', ...metadata } });
const deployment = (at: string) => ({
  metadata: { name: 'api', namespace: 'shop-test' },
  spec: { replicas: 1, template: { metadata: { annotations: { [annotations.restartedAt]: at } } } },
});

describe.concurrent('a restart of what waits for a person', () => {
  const opened: TestApi[] = [];
  beforeAll(() => void printed());
  afterAll(() => {
    vi.restoreAllMocks();
    for (const api of opened) api.close();
  });
  const options = async (objects: Record<string, object>) => {
    const api = await startTestApi(objects);
    opened.push(api);
    return { kubeconfig: api.kubeconfig, project: 'shop', environment: 'test', force: true, wait: true, timeout: 12 };
  };
  const endsStalled = { code: 'stalled', message: expect.stringContaining('It is refused.') };

  it('ends where its pod is left alone', async () =>
    expect(restartService('db', await options({ 'statefulservices/db': service, 'pods/db-0': pod({}) }))).rejects.toMatchObject(
      endsStalled,
    ));

  it('ends where there is no pod', async () =>
    expect(restartService('db', await options({ 'statefulservices/db': service }))).rejects.toMatchObject(endsStalled));

  it('is waited for while its pod is replaced all the same', async () => {
    const objects = { 'statefulservices/db': service, 'pods/db-0': pod({ deletionTimestamp: '2026-01-01T00:00:00Z' }) };
    await expect(restartService('db', await options(objects))).rejects.toMatchObject({ code: 'timeout' });
  });

  it('ends where the Deployment is left alone', async () =>
    expect(restartApp('api', await options({ 'apps/api': app, 'deployments/api': deployment('before') }))).rejects.toMatchObject(
      endsStalled,
    ));

  it('is waited for while the Deployment is rolled out all the same', async () => {
    const objects: Record<string, object> = { 'apps/api': app };
    const given = await options(objects);
    const restartedAt = (): string => (objects['apps/api'] as App).metadata?.annotations?.[annotations.restartedAt] ?? '';
    Object.defineProperty(objects, 'deployments/api', { enumerable: true, get: () => deployment(restartedAt()) });
    await expect(restartApp('api', given)).rejects.toMatchObject({ code: 'timeout' });
  });
});
