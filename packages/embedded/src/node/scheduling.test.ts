import type { Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { refusalOf } from './scheduling.ts';

const node: Node = { metadata: { name: 'kip', labels: { 'kubernetes.io/os': 'linux', cores: '4' } } };
const refusal = (spec: object, on = node) => refusalOf({ spec: { containers: [], ...spec } } as Pod, on)?.message;
const affine = (...nodeSelectorTerms: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const mismatch =
  "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

describe('the only node', () => {
  it.each([
    ['that asks for nothing', {}],
    ['whose selector fits', { nodeSelector: { 'kubernetes.io/os': 'linux' } }],
    ['with one affinity term of several that fits', affine({}, { matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['3'] }] })],
    ['that asks for the node by name', affine({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['kip'] }] })],
    ['that keeps away from others', affine({ matchExpressions: [{ key: 'gpu', operator: 'NotIn', values: ['old'] }] })],
  ])('takes a pod %s', (_, spec) => expect(refusal(spec)).toBeUndefined());

  it.each([
    ['whose selector names another value', { nodeSelector: { 'kubernetes.io/os': 'windows' } }],
    ['whose selector names a label it has not', { nodeSelector: { gpu: 'yes' } }],
    ['with an empty affinity term', affine({})],
    [
      'with a term of which half fits',
      affine({
        matchExpressions: [
          { key: 'cores', operator: 'Exists' },
          { key: 'gpu', operator: 'Exists' },
        ],
      }),
    ],
    ['that wants fewer cores', affine({ matchExpressions: [{ key: 'cores', operator: 'Lt', values: ['4'] }] })],
    ['with an operator that nobody knows', affine({ matchExpressions: [{ key: 'cores', operator: 'Near', values: ['4'] }] })],
  ])('refuses a pod %s', (_, spec) => expect(refusal(spec)).toBe(mismatch));

  it('takes no pod while it is cordoned, but one that tolerates it', () => {
    const cordoned: Node = { ...node, spec: { unschedulable: true } };
    expect(refusal({}, cordoned)).toMatch(/^0\/1 nodes are available: 1 node\(s\) were unschedulable\./);
    expect(refusal({ tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] }, cordoned)).toBeUndefined();
  });

  it('waits for scheduling gates', () =>
    expect(refusal({ schedulingGates: [{ name: 'example.com/gate' }] })).toBe('Scheduling is blocked due to non-empty scheduling gates'));
});
