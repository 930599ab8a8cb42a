import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apps,
  deployments,
  ingresses,
  labels,
  namespaces,
  persistentVolumeClaims,
  pods,
  services,
  statefulServices,
  statefulSets,
} from '@skipper/api';
import { appPort, ask, readyPods, testApp, type TestApp } from './support/app.ts';
import { openProject, type TestProject } from './support/scope.ts';
import { until } from './support/until.ts';

let project: TestProject;
let program: TestApp;

const deploy = async (name: string, ...more: string[]) => {
  const ended = await project.cluster.kipIn(program.folder, 'app', 'deploy', name, ...program.flags, ...project.flags(), ...more);
  expect(ended, `kip app deploy ${name}`).toMatchObject({ code: 0 });
  return ended;
};
/** Of the pods that stay. */
const podUids = async (app: string): Promise<string[]> =>
  (await project.cluster.client.list(pods, { namespace: project.namespace(), labelSelector: `${labels.app}=${app}` })).items
    .filter(({ metadata }) => !metadata?.deletionTimestamp)
    .map(({ metadata }) => metadata!.uid!);

beforeAll(async () => {
  project = await openProject();
  program = await testApp(project.cluster, []);
});

afterAll(async () => {
  await project?.close();
  await program?.close();
});

describe('an app', () => {
  it('is deployed, and what runs is printed', async () => {
    const { stdout } = await deploy('api', '--env', 'GREETING=hello', '--env', 'SECRET_TOKEN=s3cr$$et $(GREETING)');
    expect(stdout).toContain('  Status:   running\n  Replicas: 1/1\n');
    expect(stdout).toContain(`  Address:  api.${project.name}.svc.cluster.local:${appPort}\n`);
    expect(await ask<string[]>(project.cluster, project.namespace(), 'api', '/variables')).toEqual(
      expect.arrayContaining(['GREETING', 'SECRET_TOKEN']),
    );
  });

  it('is listed and shown', async () => {
    expect((await project.succeed('app', 'list', ...project.flags())).stdout).toMatch(
      /^ {2}NAME +STATUS +READY +SERVICES +RUNS\n {2}api +running +1\/1 +- +\S+/,
    );
    const { stdout } = await project.succeed('app', 'info', 'api', ...project.flags(), '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'api', status: 'running', ready: '1/1', bindings: [], project: project.name });
    expect((await project.succeed('status')).stdout).toMatch(/Apps: +\d+, \d+ ready/);
  });

  it('shows its variables masked, and their values when asked', async () => {
    const { stdout } = await project.succeed('app', 'env', 'api', ...project.flags());
    expect(stdout).toMatch(/GREETING +\*+ +app/);
    expect(stdout).not.toContain('hello');
    const revealed = await project.succeed('app', 'env', 'api', ...project.flags(), '--reveal', '-o', 'json');
    expect(JSON.parse(revealed.stdout)).toEqual(
      expect.arrayContaining([
        { name: 'GREETING', value: 'hello', from: 'app' },
        { name: 'SECRET_TOKEN', value: 's3cr$$et $(GREETING)', from: 'app' },
      ]),
    );
  });

  it('changes only in what is named', async () => {
    const before = (await project.cluster.client.get(apps, 'api', { namespace: project.namespace() })).spec;
    await project.succeed('app', 'deploy', 'api', '--env', 'GREETING=bye', ...project.flags());
    const after = (await project.cluster.client.get(apps, 'api', { namespace: project.namespace() })).spec;
    expect(after).toEqual({ ...before, env: before.env!.map((one) => (one.name === 'GREETING' ? { ...one, value: 'bye' } : one)) });
    const same = await project.succeed('app', 'deploy', 'api', '--env', 'GREETING=bye', ...project.flags());
    expect(same.stderr).toContain('is as it was');
  });

  it('gets and loses variables, and restarts with each change', async () => {
    const uids = await podUids('api');
    const environment = { TOKEN_OF_MINE: 'from the environment' };
    const ended = await project.cluster.kipWith(
      environment,
      'app',
      'env',
      'set',
      'api',
      'LEVEL=debug',
      'TOKEN_OF_MINE',
      ...project.flags(),
    );
    expect(ended).toMatchObject({ code: 0 });
    expect(await ask<string[]>(project.cluster, project.namespace(), 'api', '/variables')).toEqual(
      expect.arrayContaining(['LEVEL', 'TOKEN_OF_MINE']),
    );
    expect((await podUids('api')).filter((uid) => uids.includes(uid))).toEqual([]);
    expect((await project.succeed('app', 'env', 'set', 'api', 'LEVEL=debug', ...project.flags())).stderr).toContain('already');
    await project.succeed('app', 'env', 'unset', 'api', 'LEVEL', 'TOKEN_OF_MINE', ...project.flags());
    const left = await ask<string[]>(project.cluster, project.namespace(), 'api', '/variables');
    expect(left).not.toContain('LEVEL');
    expect(left).toContain('GREETING');
    expect((await project.fail(1, 'app', 'env', 'unset', 'api', 'LEVEL', ...project.flags())).stderr).toContain('LEVEL');
  });

  it('has its log shown, and followed into the pods that come', async () => {
    expect((await project.succeed('app', 'logs', 'api', ...project.flags())).stdout).toMatch(/^(\S+ )?listening as /m);
    const follower = await project.cluster.background(/listening as /, 'app', 'logs', 'api', '-f', ...project.flags());
    await project.succeed('app', 'restart', 'api', ...project.flags());
    await until('the new pod is heard', async () => (follower.output().match(/listening as /g) ?? []).length >= 2);
    expect(await follower.interrupt()).toBe(0);
  });

  it('runs where it was deployed from, unless its manifest names a folder', async ({ skip }) => {
    skip(!project.cluster.embedded, 'a container has folders of its own');
    const file = join(program.folder, 'folder.json');
    const deployed = async (name: string, spec: object, ...more: string[]): Promise<string | undefined> => {
      await writeFile(file, JSON.stringify({ apiVersion: 'skipper.dev/v1alpha1', kind: 'App', metadata: { name }, spec }));
      const flags = [...project.flags(), '--no-wait', ...more];
      expect(await project.cluster.kipIn(program.folder, 'app', 'deploy', '-f', file, ...flags)).toMatchObject({ code: 0 });
      return (await project.cluster.client.get(apps, name, { namespace: project.namespace() })).spec.workingDir;
    };
    const command = ['node', 'app.cjs'];
    expect(await deployed('placed', { command })).toBe(program.folder);
    expect(await deployed('placed', { image: 'ghcr.io/shop/api:1.4', workingDir: '/tmp' }, '--command', 'node app.cjs')).toBe('/tmp');
    expect(await deployed('portable', { image: 'ghcr.io/shop/api:1.4', command })).toBeUndefined();
    for (const name of ['placed', 'portable']) await project.succeed('app', 'delete', name, ...project.flags());
  });

  it('is deployed from a manifest, which flags change', async () => {
    const { spec } = await project.cluster.client.get(apps, 'api', { namespace: project.namespace() });
    const file = join(program.folder, 'app.json');
    await writeFile(file, JSON.stringify({ apiVersion: 'skipper.dev/v1alpha1', kind: 'App', metadata: { name: 'second' }, spec }));
    await project.succeed('app', 'deploy', '-f', file, '--env', 'FLAG=1', ...project.flags());
    expect(await ask<string[]>(project.cluster, project.namespace(), 'second', '/variables')).toEqual(
      expect.arrayContaining(['GREETING', 'FLAG']),
    );
    await project.succeed('app', 'delete', 'second', ...project.flags());
  });
});

describe('services and apps differ as the page says:', () => {
  const namespace = (): string => project.namespace();
  beforeAll(async () => {
    await project.succeed('service', 'add', 'redis', '--name', 'cache', ...project.flags());
  });

  it('an app is a Deployment, a service a StatefulSet', async () => {
    expect(await project.cluster.client.find(deployments, 'api', { namespace: namespace() })).toBeDefined();
    expect(await project.cluster.client.find(statefulSets, 'api', { namespace: namespace() })).toBeUndefined();
    expect(await project.cluster.client.find(statefulSets, 'cache', { namespace: namespace() })).toBeDefined();
    expect(await project.cluster.client.find(deployments, 'cache', { namespace: namespace() })).toBeUndefined();
  });

  it('an app has no storage, a service a claim', async () => {
    const claims = (await project.cluster.client.list(persistentVolumeClaims, { namespace: namespace() })).items;
    expect(claims.map(({ metadata }) => metadata!.name)).toEqual(['data-cache-0']);
  });

  it('an app restarts pod by pod, a service only with --force', async () => {
    const before = await podUids('api');
    await project.succeed('app', 'restart', 'api', ...project.flags());
    expect((await podUids('api')).filter((uid) => before.includes(uid))).toEqual([]);
    expect((await project.fail(1, 'service', 'restart', 'cache', ...project.flags())).stderr).toContain('--force');
    await project.succeed('service', 'restart', 'cache', '--force', ...project.flags());
  });

  it('an app is scaled, a service has one replica', async () => {
    await project.succeed('app', 'scale', 'api', '--replicas', '3', ...project.flags());
    const ready = await readyPods(project.cluster, namespace(), 'api');
    expect(ready.length).toBe(3);
    expect((await project.succeed('app', 'list', ...project.flags())).stdout).toMatch(/api +running +3\/3/);
    const all = (await project.succeed('app', 'logs', 'api', ...project.flags())).stdout;
    // One that is stopping still has a log.
    expect([...all.matchAll(/^(\S+) listening as /gm)].map(([, pod]) => pod)).toEqual(expect.arrayContaining(ready));
    expect((await project.cluster.client.get(statefulSets, 'cache', { namespace: namespace() })).spec?.replicas).toBe(1);
    expect((await project.fail(2, 'service', 'scale', 'cache', ...project.flags())).stderr).toContain('scale');
  });

  it('an app is reached from outside by an Ingress, a service within the cluster only', async () => {
    const { stdout } = await project.succeed('app', 'deploy', 'api', '--host', 'api.example.com', ...project.flags());
    expect(stdout).toContain('  URL:      http://api.example.com\n');
    const [rule] = (await project.cluster.client.get(ingresses, 'api', { namespace: namespace() })).spec!.rules!;
    expect(rule).toMatchObject({ host: 'api.example.com', http: { paths: [{ backend: { service: { name: 'api' } } }] } });
    expect(await project.cluster.client.find(ingresses, 'cache', { namespace: namespace() })).toBeUndefined();
    const service = await project.cluster.client.get(services, 'cache', { namespace: namespace() });
    expect(service.spec?.clusterIP).toBe('None');
  });

  it('an app is deleted at once, a service only with --delete-data', async () => {
    expect((await project.fail(1, 'service', 'delete', 'cache', ...project.flags())).stderr).toContain('--delete-data');
    await project.succeed('app', 'delete', 'api', ...project.flags());
    expect(await project.cluster.client.find(apps, 'api', { namespace: namespace() })).toBeUndefined();
    await until('its Deployment is gone', async () => !(await project.cluster.client.find(deployments, 'api', { namespace: namespace() })));
    expect(await project.cluster.client.find(statefulServices, 'cache', { namespace: namespace() })).toBeDefined();
    await project.succeed('service', 'delete', 'cache', '--delete-data', ...project.flags());
  });
});

describe('a rolling restart', () => {
  it('refuses no request', async ({ skip }) => {
    skip(project.cluster.embedded, 'a name of the embedded cluster leads to one pod: there is no proxy that could choose another');
    const namespace = project.namespace();
    await deploy('busy', '--replicas', '2');
    await deploy('caller', '--env', `CALL_URL=http://busy:${appPort}/`);
    const calls = () => ask<{ done: number; failed: number; failures: string[] }>(project.cluster, namespace, 'caller', '/calls');
    await until('the caller is under way', async () => (await calls()).done > 50);
    const before = await calls();
    await project.succeed('app', 'restart', 'busy', ...project.flags());
    await project.succeed('app', 'restart', 'busy', ...project.flags());
    const after = await calls();
    expect(after.done - before.done).toBeGreaterThan(100);
    expect(after.failures.slice(before.failed)).toEqual([]);
    expect(after.failed).toBe(before.failed);
    await project.succeed('app', 'delete', 'busy', ...project.flags());
    await project.succeed('app', 'delete', 'caller', ...project.flags());
  }, 420_000);
});

describe('what is wrong', () => {
  it.each([
    ['no name', ['app', 'deploy'], /name/],
    ['an invalid name', ['app', 'deploy', 'My_App', '--image', 'x'], /My_App/],
    ['a name that is too long', ['app', 'deploy', 'a'.repeat(47), '--image', 'x'], /46/],
    ['nothing to run', ['app', 'deploy', 'x'], /needs an image|needs a command/],
    ['a port that is none', ['app', 'deploy', 'x', '--image', 'x', '--port', '0'], /65535/],
    ['a host without a port', ['app', 'deploy', 'x', '--image', 'x', '--command', 'x', '--host', 'a.example.com'], /--port/],
    ['a host that is none', ['app', 'deploy', 'x', '--image', 'x', '--host', 'http://a'], /host name/],
    ['replicas that are none', ['app', 'deploy', 'x', '--image', 'x', '--replicas', '-1'], /whole number/],
    ['a variable without a name', ['app', 'deploy', 'x', '--image', 'x', '--env', '=x'], /name of a variable/],
    ['a variable without a value', ['app', 'deploy', 'x', '--image', 'x', '--env', 'NOWHERE_TO_BE_SEEN'], /no value/],
    ['a file of variables that is not there', ['app', 'deploy', 'x', '--image', 'x', '--env-file', '/nowhere'], /nowhere/],
    ['a command for a shell', ['app', 'deploy', 'x', '--image', 'x', '--command', 'a && b'], /sh -c/],
    ['a command without its dashes', ['app', 'deploy', 'x', 'node', 'server.js'], /-- node server.js/],
    ['an amount that is none', ['app', 'deploy', 'x', '--image', 'x', '--memory', '512MB'], /512Mi/],
    ['a manifest that is not there', ['app', 'deploy', '-f', '/nowhere.yaml'], /nowhere/],
    ['no number of replicas', ['app', 'scale', 'x'], /--replicas/],
    ['no variable to set', ['app', 'env', 'set', 'x'], /KEY=VALUE/],
    ['nothing to apply', ['apply'], /-f/],
    ['a folder without manifests', ['apply', '-f', '/proc/self/fdinfo'], /no manifests/],
    ['following what has ended', ['app', 'logs', 'x', '-f', '-p'], /--previous|no app/],
    ['an unknown command', ['app', 'frobnicate'], /frobnicate/],
  ])('is said of %s, and nothing is made', async (_what, args, message) => {
    const { code, stderr, stdout } = await project.cluster.kip(...args, '--project', `${project.name}-none`);
    expect({ code, stdout }).toEqual({ code: stderr.includes('no app') ? 1 : 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(await project.cluster.client.find(namespaces, `${project.name}-none`)).toBeUndefined();
  });

  it('is said of an image that nothing here could run', async ({ skip }) => {
    skip(!project.cluster.embedded, 'a real cluster may be able to pull it');
    const { stderr } = await project.fail(2, 'app', 'deploy', 'x', '--image', 'ghcr.io/shop/api:1.4', '--project', `${project.name}-none`);
    expect(stderr).toContain('--command "node server.js"');
  });

  it('is said of an app that does not exist', async () => {
    for (const args of [
      ['app', 'info', 'nothing'],
      ['app', 'logs', 'nothing'],
      ['app', 'scale', 'nothing', '--replicas', '2'],
      ['app', 'restart', 'nothing'],
      ['app', 'env', 'nothing'],
      ['app', 'env', 'set', 'nothing', 'A=1'],
      ['app', 'delete', 'nothing'],
    ])
      expect((await project.fail(1, ...args, ...project.flags('none'))).stderr).toContain('There is no app "nothing"');
  });

  it.each([
    ['with a port', ['--port', '8080']],
    ['without one', []],
  ])('is said of an app %s that does not come up, with what it says', async (_, port) => {
    const ended = await project.cluster.kip(
      'app',
      'deploy',
      'broken',
      ...project.flags(),
      '--timeout',
      '12s',
      ...port,
      ...(project.cluster.embedded ? [] : ['--image', 'docker.io/library/node:22']),
      '--',
      'sh',
      '-c',
      'exit 3',
    );
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/did not get there within 12 s.*It says: /s);
    await project.succeed('app', 'delete', 'broken', ...project.flags());
  });
});
