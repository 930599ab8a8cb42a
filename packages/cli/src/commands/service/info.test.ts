import { afterEach, expect, it, vi } from 'vitest';
import { createClient, loadKubeconfig, resolveCluster } from '@skipper/kube';
import { scopeOf } from '@skipper/api';
import { printed, runningService, startTestApi, type TestApi } from '../test-api.fixture.ts';
import { showWhenReady } from './add.ts';
import { showService } from './info.ts';

let api: TestApi | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  api?.close();
});

it.each([
  ['minio', 9000, { endpoint: 'http://it.shop-test.svc.cluster.local:9000', console: 'http://it.shop-test.svc.cluster.local:9001' }],
  ['rabbitmq', 5672, { management: 'http://it.shop-test.svc.cluster.local:15672' }],
  ['redis', 6379, {}],
] as const)('data of a service of type %s are all that is known of it, when it has been added and later', async (type, port, details) => {
  api = await startTestApi(runningService('it', type, port));
  const { kubeconfig } = api;
  const { stdout } = printed();
  await showService('it', { kubeconfig, project: 'shop', environment: 'test', output: 'json' });
  const info = stdout();
  expect(JSON.parse(info)).toMatchObject({
    ...details,
    name: 'it',
    namespace: 'shop-test',
    project: 'shop',
    environment: 'test',
    type,
    status: 'running',
    host: 'it.shop-test.svc.cluster.local',
    port,
    username: 'skipper',
    password: 'secret',
    uri: expect.stringContaining('://'),
  });
  vi.restoreAllMocks();
  const added = printed();
  const client = createClient(resolveCluster(await loadKubeconfig({ files: [kubeconfig] })));
  await showWhenReady(client, 'it', scopeOf('shop', 'test'), { output: 'json', timeout: 5 });
  client.close();
  expect(added.stdout()).toBe(info);
});
