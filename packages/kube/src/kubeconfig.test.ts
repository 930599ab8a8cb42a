import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inClusterConfig } from './in-cluster.ts';
import { loadKubeconfig, resolveCluster } from './kubeconfig.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const failure = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error,
  );
const config = (
  name: string,
  { current, server = 'https://example.test', token = `${name}-token` }: { current?: boolean; server?: string; token?: string } = {},
) => ({
  apiVersion: 'v1',
  kind: 'Config',
  ...(current ? { 'current-context': name } : {}),
  contexts: [{ name, context: { cluster: name, user: name, namespace: `${name}-ns` } }],
  clusters: [{ name, cluster: { server } }],
  users: [{ name, user: { token } }],
});

describe('loadKubeconfig', () => {
  it('reads YAML', async () => {
    const path = file(
      'c',
      'apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: b, user: c}\nclusters:\n- {name: b, cluster: {server: "https://h:6443"}}\nusers:\n- name: c\n  user:\n    token: t\n',
    );
    expect(resolveCluster(await loadKubeconfig({ env: { KUBECONFIG: path } }))).toMatchObject({
      context: 'a',
      server: 'https://h:6443',
      namespace: 'default',
      user: { token: 't' },
    });
  });

  it('reads YAML in flow style that is no JSON', async () => {
    const path = file(
      'c',
      "{current-context: a, contexts: [{name: a, context: {cluster: b}}], clusters: [{name: b, cluster: {server: 'http://h'}}]}",
    );
    expect(resolveCluster(await loadKubeconfig({ files: [path] })).server).toBe('http://h');
  });

  it('falls back to the home folder, and to nothing', async () => {
    file('.kube/config', config('home', { current: true }));
    expect((await loadKubeconfig({ env: { HOME: folder } })).currentContext).toBe('home');
    const none = await loadKubeconfig({ env: { HOME: join(folder, 'none') } });
    expect([...none.contexts.keys()]).toEqual([]);
    expect(() => resolveCluster(none)).toThrow(expect.objectContaining({ code: 'no-cluster' }));
  });

  it('merges files: the first entry of a name and the first current context win, missing files do not count', async () => {
    const paths = [
      file('1', config('a')),
      join(folder, 'missing'),
      file('2', {
        ...config('b', { current: true }),
        users: [
          { name: 'a', user: { token: 'second' } },
          { name: 'b', user: {} },
        ],
      }),
      file('3', config('a', { current: true, server: 'https://third' })),
    ];
    const merged = await loadKubeconfig({ env: { KUBECONFIG: paths.join(delimiter) } });
    expect(merged.currentContext).toBe('b');
    expect(resolveCluster(merged, 'a')).toMatchObject({ server: 'https://example.test', user: { token: 'a-token' }, namespace: 'a-ns' });
  });

  it('resolves paths against the file that has them', async () => {
    const path = file('deep/c', {
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: 'https://h', 'certificate-authority': 'ca.crt' } }],
      users: [
        {
          name: 'a',
          user: {
            tokenFile: '../token',
            'client-key': '/abs/key',
            exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './login' },
          },
        },
      ],
    });
    const { settings, user } = resolveCluster(await loadKubeconfig({ files: [path] }));
    expect(settings['certificate-authority']).toBe(join(folder, 'deep/ca.crt'));
    expect(user).toMatchObject({
      tokenFile: join(folder, 'token'),
      'client-key': '/abs/key',
      exec: { command: join(folder, 'deep/login') },
    });
  });

  it('says which file is broken and where, and quotes none of it', async () => {
    for (const broken of [
      'users:\n- name: x\n  user:\n    token: "s3cret\n  x',
      '{"users": [{"token": "s3cret"',
      '- s3cret',
      'users: {s3cret: 1}',
      'users: [s3cret]',
      'users: [{name: x, user: s3cret}]',
    ]) {
      const path = file('broken', broken);
      const error = await failure(loadKubeconfig({ files: [path] }));
      expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(path) });
      expect(`${error.message} ${error.hint} ${error.cause ?? ''}`).not.toContain('s3cret');
    }
  });

  it('insists on a file that was named', async () => {
    expect(await failure(loadKubeconfig({ files: [join(folder, 'none')] }))).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('ENOENT'),
    });
  });
});

describe('resolveCluster', () => {
  it.each([
    ['an unknown context', {}, 'nope', 'has no context "nope"'],
    ['a missing cluster', { clusters: [] }, 'a', 'names the cluster "a"'],
    ['a missing user', { users: [] }, 'a', 'names the user "a"'],
    ['a server that is no URL', { clusters: [{ name: 'a', cluster: { server: 'example.test:6443' } }] }, 'a', 'not an http or https URL'],
  ])('names %s', async (_name, change, context, message) => {
    const kubeconfig = await loadKubeconfig({ files: [file('c', { ...config('a'), ...change })] });
    expect(() => resolveCluster(kubeconfig, context)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });
});

describe('inClusterConfig', () => {
  it('reads the service account of a pod', () => {
    file('token', 't');
    file('namespace', 'mine\n');
    expect(inClusterConfig({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }, folder)).toMatchObject({
      server: 'https://[fd00::1]:443',
      namespace: 'mine',
      user: { tokenFile: join(folder, 'token') },
    });
  });

  it('is nothing outside of one', () => {
    expect(inClusterConfig({}, folder)).toBeUndefined();
    expect(inClusterConfig({ KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: '443' }, folder)).toBeUndefined();
  });
});
