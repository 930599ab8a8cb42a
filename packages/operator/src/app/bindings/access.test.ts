import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { engineOf } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';
import { withAccess } from './access.ts';

/** Takes every connection and says nothing. */
let silent: Server;
beforeAll(async () => {
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});
afterAll(() => silent.close());

const pod: Pod = { metadata: { name: 'db-0', namespace: 'default' }, status: { podIP: '127.0.0.1' } };
const options = { client: undefined as unknown as KubeClient, reach: 'direct' as const, timeoutMs: 200 };
const grant = { database: 'api', username: 'app_api', password: 'secret' };

function silentEngine(type: 'postgres' | 'redis') {
  const engine = engineOf(type);
  const { port } = silent.address() as AddressInfo;
  return {
    engine: { ...engine, ports: [{ name: engine.ports[0].name, port }] as const },
    pod,
    administrator: { username: 'skipper', password: 'x' },
  };
}

it.each(['postgres', 'redis'] as const)('does not wait for a %s that says nothing', async (type) => {
  const target = silentEngine(type);
  const startedAt = performance.now();
  await expect(
    withAccess(target, { ...options, stopping: new AbortController().signal }, (to) => target.engine.accounts.verify(to, grant)),
  ).rejects.toThrow('did not answer within 0.2 s');
  expect(performance.now() - startedAt).toBeLessThan(8_000);
});

it('ends with the operator', async () => {
  const target = silentEngine('postgres');
  const stopping = new AbortController();
  const working = withAccess(target, { ...options, timeoutMs: 60_000, stopping: stopping.signal }, (to) =>
    target.engine.accounts.grant(to, grant),
  );
  stopping.abort(new Error('the operator stops'));
  await expect(working).rejects.toThrow('the operator stops');
});

it('goes to the address of the pod', async () => {
  const target = silentEngine('redis');
  const endpoint = await withAccess(target, { ...options, stopping: new AbortController().signal }, (to) => to.endpoint('redis'));
  expect(endpoint).toEqual({ host: '127.0.0.1', port: target.engine.ports[0].port });
});
