import { pods, type ResourceType } from '@skipper/api';
import type { Ingress } from 'kubernetes-types/networking/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { conditionStatus, nodePod, scripts } from './support/pods.ts';
import { createNamespace, kube } from './support/cluster.ts';
import { until } from './support/until.ts';

const namespace = await createNamespace('apps');
const ingresses: ResourceType<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};

describe('an Ingress', () => {
  const ingress = (host: string): Ingress => ({
    metadata: { name: 'web', namespace },
    spec: {
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] } }],
    },
  });
  const apply = (host: string) => kube.apply(ingresses, ingress(host), { fieldManager: 'conformance', force: true });

  it('is applied, stays as it is when applied again, and is watched', async () => {
    const made = await apply('one.example.com');
    expect((await apply('one.example.com')).metadata?.resourceVersion).toBe(made.metadata?.resourceVersion);
    const { resourceVersion } = await kube.list(ingresses, { namespace });
    await apply('two.example.com');
    for await (const { type, object } of kube.watch(ingresses, { namespace, resourceVersion })) {
      if (type === 'BOOKMARK') continue;
      expect([type, object.spec?.rules?.[0]?.host]).toEqual(['MODIFIED', 'two.example.com']);
      break;
    }
  });
});

describe('a pod', () => {
  it('that no node fits is not scheduled, and says why', async () => {
    await kube.create(pods, nodePod(namespace, 'choosy', scripts.idle, { spec: { nodeSelector: { 'example.com/there-is': 'none' } } }));
    const pod = await until('it is refused', async () => {
      const found = await kube.get(pods, 'choosy', { namespace });
      return conditionStatus(found, 'PodScheduled') === 'False' && found;
    });
    expect(pod.spec?.nodeName).toBeUndefined();
    expect(pod.status).toMatchObject({
      phase: 'Pending',
      conditions: [
        {
          type: 'PodScheduled',
          reason: 'Unschedulable', // Early versions speak of the node's affinity, which a selector is a short form of.
          message: expect.stringMatching(/^0\/1 nodes are available: 1 .*(selector|affinity)/),
        },
      ],
    });
    expect(await kube.delete(pods, 'choosy', { namespace })).toBeDefined();
    await until('it is gone at once', async () => !(await kube.find(pods, 'choosy', { namespace })));
  });

  it('shows the end of its log as its message, when it is asked to', async () => {
    const script = `console.log('what went before'); console.error('cannot go on'); process.exit(3);`;
    const policy = { terminationMessagePolicy: 'FallbackToLogsOnError' };
    await kube.create(pods, nodePod(namespace, 'fails', script, { container: policy, spec: { restartPolicy: 'Never' } }));
    const ended = await until('it has ended', async () => {
      const { status } = await kube.get(pods, 'fails', { namespace });
      return status?.containerStatuses?.[0]?.state?.terminated;
    });
    expect(ended.exitCode).toBe(3);
    expect(ended.message).toContain('cannot go on\n');
  });
});
