import { describe, expect, it } from 'vitest';
import type { AppSpec } from '@skipper/api';
import { changedSpec } from './spec-changes.ts';

const before: AppSpec = {
  image: 'api:1',
  command: ['node', 'server.js'],
  args: ['--quiet'],
  port: 8080,
  replicas: 3,
  env: [{ name: 'A', value: '1' }],
  host: 'api.example.com',
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
  bindings: [{ service: 'db', prefix: 'MAIN' }],
};

describe('a change of an app', () => {
  it('leaves everything as it is that is not named', () => {
    expect(changedSpec(before, {}, [], [])).toEqual(before);
    expect(changedSpec(before, { image: 'api:2' }, [], [])).toEqual({ ...before, image: 'api:2' });
  });

  it('takes the arguments of the command before away with it', () => {
    const { args: _args, ...rest } = before;
    expect(changedSpec(before, {}, ['deno', 'run'], [])).toEqual({ ...rest, command: ['deno', 'run'] });
    expect(changedSpec(before, { command: 'deno run "a b"' }, [], [])).toEqual({ ...rest, command: ['deno', 'run', 'a b'] });
  });

  it('changes one amount and keeps the others', () => {
    expect(changedSpec(before, { cpu: '1' }, [], []).resources).toEqual({
      requests: { cpu: '1', memory: '64Mi' },
      limits: { cpu: '1', memory: '128Mi' },
    });
  });

  it('binds to what it is not bound to, once, and leaves a binding as it is', () => {
    expect(changedSpec(before, { bind: ['db', 'cache', 'cache'] }, [], []).bindings).toEqual([
      { service: 'db', prefix: 'MAIN' },
      { service: 'cache' },
    ]);
  });

  it('names no resources, variables or bindings where there are none', () => {
    expect(changedSpec({}, { image: 'x' }, [], [])).toEqual({ image: 'x' });
  });

  it.each([
    [{ host: 'http://x' }, /host name/],
    [{ host: 'Example.com' }, /host name/],
    [{ host: 'a..b' }, /host name/],
    [{ image: 'a b' }, /not an image/],
    [{ cpu: 'lots' }, /quantity/],
    [{ memory: '0' }, /more than zero/],
    [{ bind: ['My_DB'] }, /My_DB/],
    [{ command: 'a', words: ['b'] }, /twice/],
  ])('is refused: %j', ({ words = [], ...flags }: Parameters<typeof changedSpec>[1] & { words?: string[] }, message) => {
    expect(() => changedSpec({}, flags, words, [])).toThrow(message);
  });
});
