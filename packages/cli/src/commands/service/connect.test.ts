import { afterEach, expect, it, vi } from 'vitest';
import { printed, runningService, startTestApi, type TestApi } from '../test-api.fixture.ts';
import { connectService } from './connect.ts';

let api: TestApi | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  api?.close();
});

it.each([
  ['rabbitmq', 5672, ['Management: http://localhost:\\d+', 'amqp: +localhost:\\d+']],
  ['minio', 9000, ['Endpoint: http://localhost:\\d+', 'Console: +http://localhost:\\d+']],
  ['opensearch', 9200, ['http: +localhost:\\d+']],
] as const)('every port of %s is said', async (type, port, addresses) => {
  api = await startTestApi(runningService('queue', type, port));
  const { stdout, stderr } = printed();
  const connected = connectService('queue', { kubeconfig: api.kubeconfig, project: 'shop', environment: 'test' });
  await vi.waitFor(() => expect(stdout()).toContain('Ctrl+C'));
  process.emit('SIGINT');
  await connected;
  const lines = [...addresses, 'Username: skipper', 'Press Ctrl\\+C to close'];
  expect(stdout()).toMatch(new RegExp(`^${lines.map((line) => `  ${line}\n`).join('')}$`));
  expect(stderr()).toBe('  Its password is in "kip service info queue --project shop --environment test".\n');
});
