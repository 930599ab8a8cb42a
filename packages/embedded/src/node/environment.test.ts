import { describe, expect, it } from 'vitest';
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import { environmentOf, expand } from './environment.ts';
import type { References } from './references.ts';

const pod: Pod = {
  metadata: { name: 'db-0', namespace: 'shop', uid: 'u', labels: { app: 'db', 'skipper.dev/x': 'y' } },
  spec: { nodeName: 'kip', containers: [] },
};
const references: References = {
  secret: async (name) => (name === 'known' ? { password: Buffer.from('p$(NAME)'), binary: Buffer.from([1, 0]) } : undefined),
  configMap: async () => undefined,
};
const of = (container: Partial<Container>) => environmentOf(pod, '127.1.2.3', { name: 'main', ...container }, references);

describe('the environment of a container', () => {
  it.each([
    ['$(NAME)', 'value'],
    ['a-$(NAME)-b', 'a-value-b'],
    ['$(OTHER)', '$(OTHER)'],
    ['$$(NAME)', '$(NAME)'],
    ['$NAME', '$NAME'],
    ['$$', '$'],
    ['$(toString)', '$(toString)'],
    ['$(', '$('],
  ])('expands %s to %s', (given, expected) => expect(expand(given, { NAME: 'value' })).toBe(expected));

  it("expands earlier variables, and never a Secret's own text", async () => {
    const env = [
      { name: 'NAME', value: 'n' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'known', key: 'password' } } },
      { name: 'URL', value: 'x://$(NAME):$(PASSWORD)@$(LATER)' },
      { name: 'LATER', value: 'l' },
    ];
    expect(await of({ env })).toEqual({ NAME: 'n', PASSWORD: 'p$(NAME)', URL: 'x://n:p$(NAME)@$(LATER)', LATER: 'l' });
  });

  it('has the fields of its pod', async () => {
    const field = (fieldPath: string) => ({ name: 'F', valueFrom: { fieldRef: { fieldPath } } });
    for (const [path, value] of [
      ['metadata.name', 'db-0'],
      ['metadata.namespace', 'shop'],
      ['status.podIP', '127.1.2.3'],
      ["metadata.labels['skipper.dev/x']", 'y'],
      ['metadata.labels', 'app="db"\nskipper.dev/x="y"'],
    ] as const) {
      expect(await of({ env: [field(path)] }), path).toEqual({ F: value });
    }
    await expect(of({ env: [field('spec.containers')] })).rejects.toMatchObject({
      reason: 'CreateContainerConfigError',
      message: 'field spec.containers is not supported here',
    });
  });

  it('has its resources in units of the divisor, rounded up', async () => {
    const resource = (name: string, divisor?: string) =>
      of({
        resources: { limits: { memory: '1Gi', cpu: '1500m' }, requests: { cpu: '100m' } },
        env: [{ name: 'R', valueFrom: { resourceFieldRef: { resource: name, ...(divisor ? { divisor } : {}) } } }],
      });
    expect(await resource('limits.memory')).toEqual({ R: '1073741824' });
    expect(await resource('limits.memory', '1Mi')).toEqual({ R: '1024' });
    expect(await resource('limits.cpu')).toEqual({ R: '2' });
    expect(await resource('limits.cpu', '1m')).toEqual({ R: '1500' });
    expect(await resource('requests.cpu')).toEqual({ R: '1' });
    expect(await resource('requests.memory')).toEqual({ R: '0' });
    await expect(resource('limits.unicorns')).rejects.toMatchObject({ reason: 'CreateContainerConfigError' });
  });

  it('is refused when a reference leads nowhere, unless it may', async () => {
    await expect(of({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'unknown', key: 'a' } } }] })).rejects.toMatchObject({
      message: 'secret "unknown" not found',
    });
    await expect(of({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'known', key: 'a' } } }] })).rejects.toMatchObject({
      message: `couldn't find key a in secret "known"`,
    });
    await expect(of({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'known', key: 'binary' } } }] })).rejects.toMatchObject({
      message: 'the value of variable A is not text',
    });
    expect(
      await of({
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'unknown', key: 'a', optional: true } } }],
        envFrom: [{ configMapRef: { name: 'unknown', optional: true } }],
      }),
    ).toEqual({});
  });
});
