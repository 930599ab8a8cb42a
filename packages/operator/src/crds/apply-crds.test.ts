import { describe, expect, it } from 'vitest';
import { crds, forServer } from './apply-crds.ts';

const rulesFor = (minor: number) => JSON.stringify(crds.map((crd) => forServer(crd, minor)));

describe('forServer', () => {
  it('leaves rules out that an older server cannot know', () => {
    expect(rulesFor(20)).not.toContain('x-kubernetes-validations');
    expect(rulesFor(28)).toContain('x-kubernetes-validations');
    expect(rulesFor(28)).not.toContain('quantity(');
    expect(rulesFor(29)).toContain('quantity(');
  });
  it('changes nothing for a server of today', () => expect(crds.map((crd) => forServer(crd, 37))).toEqual(crds));
});

describe('the kinds', () => {
  it('describe every field, for kubectl explain', () => {
    const undescribed: string[] = [];
    const visit = (schema: { description?: string; properties?: Record<string, object>; items?: object }, path: string) => {
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        const at = `${path}.${name}`;
        if (!('description' in property) && !/^\.(apiVersion|kind|metadata)$/.test(at)) undescribed.push(at);
        visit(property, at);
      }
    };
    for (const crd of crds) visit(crd.spec.versions[0]!.schema!.openAPIV3Schema as never, '');
    expect(undescribed).toEqual([]);
  });
});
