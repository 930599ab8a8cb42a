import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import { nextStep, unavailableLimit } from './rollout.ts';

const template = { spec: { containers: [] } };
const deploymentOf = (replicas: number, maxSurge: number | string, maxUnavailable: number | string): Deployment => ({
  metadata: { name: 'web' },
  spec: { replicas, selector: {}, template, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
});
const setOf = (name: string, replicas: number, available: number): ReplicaSet => ({
  metadata: { name },
  spec: { replicas, selector: {} },
  status: { replicas, availableReplicas: available },
});
const step = (deployment: Deployment, current: ReplicaSet, ...old: ReplicaSet[]) =>
  Object.fromEntries(nextStep(deployment, current, old).map(({ set, replicas }) => [set.metadata!.name, replicas]));

describe('a rolling update', () => {
  it('makes room by its surge first', () => {
    expect(step(deploymentOf(4, '25%', '25%'), setOf('new', 0, 0), setOf('old', 4, 4))).toEqual({ new: 1 });
    expect(step(deploymentOf(4, 1, 1), setOf('new', 1, 0), setOf('old', 4, 4))).toEqual({ old: 3 });
    expect(step(deploymentOf(4, 1, 0), setOf('new', 1, 0), setOf('old', 4, 4))).toEqual({});
    expect(step(deploymentOf(4, 1, 0), setOf('new', 1, 1), setOf('old', 4, 4))).toEqual({ old: 3 });
  });

  it('does not count on pods that an old set was told to give up, though its status is late', () => {
    expect(step(deploymentOf(4, 1, 0), setOf('new', 1, 1), setOf('old', 3, 4))).toEqual({ new: 2 });
    expect(step(deploymentOf(4, 1, 0), setOf('new', 2, 1), setOf('old', 3, 4))).toEqual({});
  });

  it('takes old pods that are not available first', () => {
    expect(step(deploymentOf(2, 0, 1), setOf('new', 0, 0), setOf('broken', 1, 0), setOf('good', 1, 1))).toEqual({ broken: 0 });
  });

  it('follows a smaller number at once', () => {
    expect(step(deploymentOf(1, 1, 0), setOf('new', 3, 3))).toEqual({ new: 1 });
  });

  it('ends with the wanted pods, and never has too many or too few on the way', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 12 }),
        (wanted, surge, unavailable, oldSize) => {
          const deployment = deploymentOf(wanted, surge, unavailable);
          const least = Math.min(oldSize, wanted - unavailableLimit(deployment));
          const most = Math.max(oldSize, wanted + surge);
          const sizes = { new: 0, old: oldSize };
          for (let steps = 0; steps < 100; steps++) {
            const next = step(deployment, setOf('new', sizes.new, sizes.new), setOf('old', sizes.old, sizes.old));
            if (Object.keys(next).length === 0) break;
            Object.assign(sizes, next);
            expect(sizes.new + sizes.old).toBeGreaterThanOrEqual(least);
            expect(sizes.new + sizes.old).toBeLessThanOrEqual(most);
          }
          expect(sizes).toEqual({ new: wanted, old: 0 });
        },
      ),
    );
  });
});
