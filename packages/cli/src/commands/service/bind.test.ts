import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { printed, runningService, startTestApi, type TestApi } from '../test-api.fixture.ts';
import { bindService } from './bind.ts';

let api: TestApi;
beforeEach(async () => {
  const spec = { image: 'api:1', bindings: [{ service: 'reports', prefix: 'REPORTS' }] };
  api = await startTestApi({
    ...runningService('reports', 'postgres', 5432),
    'apps/api': { metadata: { name: 'api', namespace: 'shop-test', generation: 1 }, spec },
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  api.close();
});

it.each([
  ['something else of the binding changes', { database: 'reporting' }],
  ['nothing changes', { prefix: 'REPORTS' }],
])('data of a binding that is not waited for are of the whole binding when %s', async (_when, change) => {
  const { stdout } = printed();
  await bindService('reports', 'api', { kubeconfig: api.kubeconfig, output: 'json', wait: false, timeout: 1, ...change });
  expect(JSON.parse(stdout())).toEqual({
    app: 'api',
    service: 'reports',
    variables: ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'URL', 'NAME'].map((part) => `REPORTS_${part}`),
  });
});
