import { describe, expect, it } from 'vitest';
import { engineOf } from '@skipper/engines';
import { imageFor } from './images.ts';

const postgres = engineOf('postgres');
const image = (data?: Record<string, string>) => imageFor(postgres, '18', data && { data });

describe('imageFor', () => {
  it.each([
    ["the engine's own", undefined, 'docker.io/library/postgres:18-alpine'],
    ['what is said of its type', { postgres: 'registry.test:5000/pg:{version}-x', registry: 'other.test' }, 'registry.test:5000/pg:18-x'],
    ['an image without a version in its name', { postgres: `mirror/pg@sha256:${'a'.repeat(64)}` }, `mirror/pg@sha256:${'a'.repeat(64)}`],
    ['another registry', { registry: 'registry.test' }, 'registry.test/library/postgres:18-alpine'],
    ['a registry with a path', { registry: 'registry.test:5000/mirror/hub\n' }, 'registry.test:5000/mirror/hub/library/postgres:18-alpine'],
    ['nothing of another type', { redis: 'x' }, 'docker.io/library/postgres:18-alpine'],
  ])('is %s', (_, data, expected) => expect(image(data)).toEqual({ image: expected }));
  it.each([
    ['postgres', { postgres: 'has spaces:{version}' }],
    ['postgres', { postgres: '' }],
    ['postgres', { postgres: 'pg:{verison}' }],
    ['registry', { registry: 'https://registry.test' }],
  ])('says which key cannot be read: %s %o', (key, data) =>
    expect(image(data)).toMatchObject({ problem: expect.stringContaining(`"${key}"`) as string }),
  );
});
