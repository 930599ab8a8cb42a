import { describe, expect, it } from 'vitest';
import type { AppSpec } from '@skipper/api';
import { folderOf, requireRunnable } from './wish.ts';

const embedded = 'the embedded cluster';

describe('where the cluster runs processes', () => {
  it.each<[string, AppSpec]>([
    ['an image alone', { image: 'ghcr.io/shop/api:1.4' }],
    ['an image with arguments', { image: 'ghcr.io/shop/api:1.4', args: ['--port', '8080'] }],
    ['an image with an empty command', { image: 'ghcr.io/shop/api:1.4', command: [] }],
    ['an image of an engine in a version that there is not', { image: 'docker.io/library/postgres:9-alpine' }],
    ['nothing', {}],
  ])('%s cannot run', (_, spec) => {
    expect(() => requireRunnable('api', spec, true, embedded)).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining('--command "node server.js"') }),
    );
  });

  it.each<[string, AppSpec]>([
    ['a command', { command: ['node', 'server.js'] }],
    ['a command beside an image', { image: 'ghcr.io/shop/api:1.4', command: ['node', 'server.js'] }],
    ['an image that an engine runs for', { image: 'docker.io/library/redis:8-alpine' }],
  ])('%s can', (_, spec) => {
    expect(() => requireRunnable('api', spec, true, embedded)).not.toThrow();
  });
});

describe('where the cluster runs containers', () => {
  it('an image can run', () => {
    expect(() => requireRunnable('api', { image: 'ghcr.io/shop/api:1.4' }, false, 'cluster "x"')).not.toThrow();
  });

  it('a command alone cannot', () => {
    expect(() => requireRunnable('api', { command: ['node'] }, false, 'cluster "x"')).toThrow(/needs an image/);
  });
});

describe('the folder of a process', () => {
  const command = ['node', 'server.js'];
  it.each<[string, AppSpec, AppSpec]>([
    ['is where kip was called', { command }, { workingDir: '/here' }],
    ['is not noted beside an image, with which it would go elsewhere', { image: 'x', command }, {}],
    ["stays the manifest's when that names one", { command, workingDir: '/srv' }, {}],
    ['stays as it is when no command is named', { replicas: 2 }, {}],
  ])('%s', (_, named, folder) => {
    expect(folderOf(named, '/here', named.image)).toEqual(folder);
  });
});
