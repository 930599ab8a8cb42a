import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { events, nodes, pods, secrets, services } from '@skipper/api';
import type { Container, Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../kinds.ts';
import { idle, isReady, pidOf, readyPod, startTestCluster, until, type TestCluster } from './cluster.fixture.ts';

const namespace = 'default';
const isRoot = process.getuid?.() === 0;
let cluster: TestCluster;
let project: string;
beforeAll(async () => {
  cluster = await startTestCluster();
  project = await mkdtemp(join(tmpdir(), 'project-'));
  await chmod(project, 0o755);
  await writeFile(join(project, 'server.js'), server);
});
/** Whatever a test leaves would have the port of the next one. */
afterEach(async () => {
  const all = async () => (await cluster.kube.list(pods, { namespace })).items.map(({ metadata }) => metadata!.name!);
  for (const name of await all()) await remove(name);
  await until('no pod is left', async () => (await all()).length === 0);
});
afterAll(async () => {
  await cluster.close();
  await rm(project, { recursive: true, force: true });
});

/** Answers with the pod's name; looks names up and shows its environment when asked. */
const server = `
  const http = require('node:http'), dns = require('node:dns');
  console.log('started in ' + process.cwd());
  process.on('SIGTERM', () => process.exit(0));
  http.createServer((request, response) => {
    const name = request.url.slice(1);
    if (name === 'env') return response.end(JSON.stringify(process.env));
    if (name === 'id') return response.end(JSON.stringify([process.getuid(), process.getgid(), process.getgroups(), process.pid]));
    if (name === 'crash') process.exit(7);
    dns.lookup(name, { all: true, family: 4 }, (error, found) =>
      response.end(error ? error.code : found.map(({ address }) => address).sort().join(' ')));
  }).listen(process.env.PORT, process.env.ANYWHERE ? undefined : process.env.HOST);
`;

function app(name: string, container: Partial<Container> = {}, spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'app',
          image: 'nobody.example/knows:this',
          command: ['node', 'server.js'],
          workingDir: project,
          ports: [{ containerPort: 7300 }],
          readinessProbe: { tcpSocket: { port: 7300 } },
          ...container,
        },
      ],
      ...spec,
    },
  };
}
const make = (...args: Parameters<typeof app>) => cluster.kube.create(pods, app(...args));
const ask = async (pod: Pod, path: string) => (await fetch(`http://${pod.status!.podIP}:7300/${path}`)).text();
const find = (name: string) => cluster.kube.find(pods, name, { namespace });
const waiting = (name: string, reason: string) =>
  until(`${name} waits for ${reason}`, async () => {
    const state = (await find(name))?.status?.containerStatuses?.[0]?.state?.waiting;
    return state?.reason === reason && state.message;
  });
const remove = (name: string) => cluster.kube.delete(pods, name, { namespace, gracePeriodSeconds: 0 });

describe('a command', () => {
  it('runs in the folder it was given, with its variables and where to listen', async () => {
    await cluster.kube.create(secrets, { metadata: { name: 'bound', namespace }, stringData: { DB_PASSWORD: `it's "$HOME"\n\`x\` ü` } });
    await make('runs', {
      env: [
        { name: 'ADDRESS', value: 'http://$(HOST):$(PORT)' },
        { name: 'WHO', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      envFrom: [{ secretRef: { name: 'bound' } }, { secretRef: { name: 'not-there', optional: true } }],
    });
    const pod = await readyPod(cluster.kube, 'runs');
    expect(await text(await cluster.kube.logs('runs', { namespace }))).toBe(`started in ${project}\n`);
    const { podIP } = pod.status!;
    const env = JSON.parse(await ask(pod, 'env')) as Record<string, string>;
    expect(env).toMatchObject({
      HOST: podIP,
      POD_IP: podIP,
      PORT: '7300',
      ADDRESS: `http://${podIP}:7300`,
      WHO: 'runs',
      DB_PASSWORD: `it's "$HOME"\n\`x\` ü`,
    });
    expect(env['HOME']).toBeTruthy();
    // What the cluster was started with is not for everybody.
    expect(Object.keys(env)).not.toContain('npm_lifecycle_event');
    expect(Object.keys(env)).not.toContain('VITEST');
    const [uid, gid, groups, pid] = JSON.parse(await ask(pod, 'id')) as [number, number, number[], number];
    expect(pid).toBe(pidOf(pod));
    if (isRoot) expect([uid, gid, groups]).toEqual([65_534, 65_534, [65_534]]);
  });

  it('may set where it listens itself', async () => {
    await make('sets', {
      env: [
        { name: 'PORT', value: '7300' },
        { name: 'HOST', value: '0.0.0.0' },
      ],
    });
    const env = JSON.parse(await ask(await readyPod(cluster.kube, 'sets'), 'env')) as Record<string, string>;
    expect(env).toMatchObject({ HOST: '0.0.0.0' });
  });

  it.runIf(isRoot)('runs as the owner of its folder, and obeys nothing of its variables before it is that', async () => {
    const folder = join(project, 'owned');
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, 'server.js'), server);
    await chown(folder, 4321, 4321);
    await make('owned', { workingDir: folder, env: [{ name: 'LD_PRELOAD', value: '/nowhere/evil.so' }] });
    const pod = await readyPod(cluster.kube, 'owned');
    expect((JSON.parse(await ask(pod, 'id')) as unknown[]).slice(0, 2)).toEqual([4321, 4321]);
    const said = await text(await cluster.kube.logs('owned', { namespace }));
    // The loader complains once, on behalf of the program itself.
    expect(said.match(/evil\.so/g)).toHaveLength(1);
  });

  it.runIf(isRoot)('whose folder its user cannot read says so', async () => {
    const folder = join(project, 'closed');
    await mkdir(folder, { mode: 0o700 });
    await make('closed', { workingDir: folder });
    expect(await waiting('closed', 'CreateContainerError')).toBe(
      `the folder ${folder} is not there, or cannot be read by the user that the process runs as (uid 65534; a cluster that runs as root runs nothing else as root)`,
    );
  });

  it('that is not there says so', async () => {
    await make('missing', { command: ['no-such-program'] });
    expect(await waiting('missing', 'RunContainerError')).toMatch(/^exec: "no-such-program": executable file not found in \$PATH/);
  });

  it('with a volume that it would look for in vain is refused', async () => {
    await make(
      'mounts',
      { volumeMounts: [{ name: 'bound', mountPath: '/etc/bound' }] },
      { volumes: [{ name: 'bound', secret: { secretName: 'bound' } }] },
    );
    expect(await waiting('mounts', 'CreateContainerConfigError')).toBe(
      'volume "bound" cannot be mounted at /etc/bound: the command runs as a process of this machine, which has no files of its own',
    );
  });

  it('that fails shows the end of its output, and the log of the run before', async () => {
    await make('fails', {
      command: ['node', '-e', `console.log('first line'); console.error('cannot go on'); process.exit(3)`],
      terminationMessagePolicy: 'FallbackToLogsOnError',
      readinessProbe: undefined,
    });
    await waiting('fails', 'CrashLoopBackOff');
    const status = (await find('fails'))!.status!.containerStatuses![0]!;
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 3, message: expect.stringContaining('cannot go on') });
    expect(await text(await cluster.kube.logs('fails', { namespace, previous: true }))).toContain('first line\n');
  });

  it('runs what exec asks for beside it, in the same folder', async () => {
    await make('beside');
    await readyPod(cluster.kube, 'beside');
    const { PassThrough } = await import('node:stream');
    const stdout = new PassThrough();
    expect(await cluster.kube.exec('beside', { namespace, command: ['sh', '-c', 'pwd; echo "$HOST"; exit 5'], stdout })).toBe(5);
    stdout.end();
    expect(await text(stdout)).toBe(`${project}\n${(await find('beside'))!.status!.podIP}\n`);
  });
});

describe('names of Services', () => {
  const service = (name: string, spec: object = {}) =>
    cluster.kube.create(services, { metadata: { name, namespace }, spec: { selector: { app: name }, ports: [{ port: 7300 }], ...spec } });

  it('resolve to the pods that are ready, for a process that runs on while they change', async () => {
    await service('backend');
    await service('elsewhere', { clusterIP: 'None', selector: undefined });
    await make('caller');
    const caller = await readyPod(cluster.kube, 'caller');
    expect(await ask(caller, 'backend')).toMatch(/^E/);
    const one = await cluster.kube.create(pods, { ...app('one'), metadata: { name: 'one', namespace, labels: { app: 'backend' } } });
    const { podIP } = (await readyPod(cluster.kube, one.metadata!.name!)).status!;
    const resolves = (name: string, to: string) => until(`${name} is ${to}`, async () => (await ask(caller, name)) === to);
    for (const suffix of ['', '.default', '.default.svc', '.default.svc.cluster.local']) await resolves(`backend${suffix}`, podIP!);
    await cluster.kube.create(pods, { ...app('two'), metadata: { name: 'two', namespace, labels: { app: 'backend' } } });
    const second = (await readyPod(cluster.kube, 'two')).status!.podIP!;
    await resolves('backend', [podIP!, second].sort().join(' '));
    await remove('one');
    await resolves('backend', second);
    expect(await ask(caller, 'localhost')).toBe('127.0.0.1');
    await cluster.kube.delete(services, 'backend', { namespace });
    await until('it is known no more', async () => (await ask(caller, 'backend')).startsWith('E'));
  });

  it('are short in their own namespace only', async () => {
    await cluster.kube.create(services, {
      metadata: { name: 'far', namespace: 'kube-public' },
      spec: { clusterIP: 'None', ports: [{ port: 1 }] },
    });
    await cluster.kube.create(endpoints, {
      metadata: { name: 'far', namespace: 'kube-public' },
      subsets: [{ addresses: [{ ip: '127.9.9.9' }] }],
    });
    await make('near');
    const near = await readyPod(cluster.kube, 'near');
    await until('the long name is known', async () => (await ask(near, 'far.kube-public')) === '127.9.9.9');
    expect(await ask(near, 'far')).toMatch(/^E/);
  });
});

describe('a port', () => {
  it('that another pod has taken on all addresses is waited for, and the pod says by whom', async () => {
    await make('greedy', { env: [{ name: 'ANYWHERE', value: 'yes' }] });
    await readyPod(cluster.kube, 'greedy');
    await make('polite');
    expect(await waiting('polite', 'PortInUse')).toBe(
      'port 7300 of this machine is taken by pod default/greedy; every pod has an address of its own, so that all can have the port when each listens on its own address only, which is in $HOST',
    );
    expect(isReady(await find('polite'))).toBe(false);
    await remove('greedy');
    await readyPod(cluster.kube, 'polite');
    // And the other way round: it starts, and cannot listen.
    await make('late', { env: [{ name: 'ANYWHERE', value: 'yes' }] });
    expect(await waiting('late', 'PortInUse')).toContain('taken by pod default/polite');
    await remove('polite');
    await readyPod(cluster.kube, 'late');
  });
});

describe('a pod that the node does not fit', () => {
  it('waits, says why, and is taken once it fits', async () => {
    await cluster.kube.create(
      pods,
      app('choosy', { command: ['node', '-e', idle], readinessProbe: undefined }, { nodeSelector: { disk: 'fast' } }),
    );
    const refused = await until('it is refused', async () => {
      const found = await find('choosy');
      return found?.status?.conditions?.length ? found : undefined;
    });
    expect(refused.spec?.nodeName).toBeUndefined();
    expect(refused.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }]);
    await until(
      'it is told of',
      async () =>
        (await cluster.kube.list(events, { namespace, fieldSelector: 'involvedObject.name=choosy,reason=FailedScheduling' })).items
          .length === 1,
    );
    await cluster.kube.patch(nodes, 'kip', { metadata: { labels: { disk: 'fast' } } });
    const taken = await readyPod(cluster.kube, 'choosy');
    expect(taken.status?.conditions).toContainEqual(expect.objectContaining({ type: 'PodScheduled', status: 'True' }));
  });
});
