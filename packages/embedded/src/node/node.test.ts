import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { events, persistentVolumeClaims, pods, secrets } from '@skipper/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  container,
  idle,
  isAlive,
  isReady,
  noProgram,
  pidOf,
  pod,
  readyPod,
  startTestCluster,
  until,
  type TestCluster,
} from './cluster.fixture.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());

const namespace = 'default';
const find = (name: string) => cluster.kube.find(pods, name, { namespace });
const logOf = async (name: string, options: object = {}) => text(await cluster.kube.logs(name, { namespace, ...options }));
const waitingOf = async (name: string) => (await find(name))?.status?.containerStatuses?.[0]?.state?.waiting;
const eventsOf = async (name: string) =>
  (await cluster.kube.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` })).items;
const gone = (name: string) => until(`${name} is gone`, async () => !(await find(name)));

describe('a pod', () => {
  it('has an address of its own on the loopback, where it is reached', async () => {
    const serve = `${idle} require('node:net').createServer((socket) => socket.end('served')).listen(7000, process.env.POD_ADDRESS)`;
    for (const name of ['first', 'second'])
      await cluster.kube.create(pods, pod(name, serve, { container: { readinessProbe: { tcpSocket: { port: 7000 } } } }));
    const [first, second] = [await readyPod(cluster.kube, 'first'), await readyPod(cluster.kube, 'second')];
    expect(first.status?.podIP).toMatch(/^127\./);
    expect(second.status?.podIP).not.toBe(first.status?.podIP);
    const forward = cluster.kube.portForward('second', { namespace });
    expect(await text(forward.connect(7000))).toBe('served');
    forward.close();
  });

  it('runs its init containers one after another before the others', async () => {
    const write = (word: string) => `require('node:fs').appendFileSync(process.env.DATA + '/order', '${word} ')`;
    const mounted = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    await cluster.kube.create(
      pods,
      pod('ordered', `console.log(require('node:fs').readFileSync(process.env.DATA + '/order', 'utf8')); ${idle}`, {
        container: mounted,
        spec: {
          volumes: [{ name: 'data', emptyDir: {} }],
          initContainers: [container(write('one'), { name: 'one', ...mounted }), container(write('two'), { name: 'two', ...mounted })],
        },
      }),
    );
    const ready = await readyPod(cluster.kube, 'ordered');
    await until('it has told', async () => (await logOf('ordered')) === 'one two \n');
    expect(ready.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.reason)).toEqual(['Completed', 'Completed']);
  });

  it('of an image that nobody can have says so, and why', async () => {
    await cluster.kube.create(pods, pod('imageless', idle, { container: { image: noProgram, command: [] } }));
    const waiting = await until('it says so', async () => {
      const found = await waitingOf('imageless');
      return found?.message ? found : undefined;
    });
    expect(['ErrImagePull', 'ImagePullBackOff']).toContain(waiting.reason);
    expect(waiting.message).toContain(
      'No program is known here for image "no-program:1". The embedded cluster runs no containers: give this one a command, which runs as a process of this machine.',
    );
    await until('it backs off', async () => (await waitingOf('imageless'))?.reason === 'ImagePullBackOff');
  });

  it('with a gRPC probe is refused rather than never ready', async () => {
    await cluster.kube.create(pods, pod('grpc', idle, { container: { readinessProbe: { grpc: { port: 1 } } as object } }));
    const waiting = await until('it says so', async () => {
      const found = await waitingOf('grpc');
      return found?.message && found;
    });
    expect(waiting).toEqual({
      reason: 'CreateContainerError',
      message: 'the readinessProbe is of a kind that is not supported here; exec, httpGet and tcpSocket are',
    });
  });

  it('cannot leave its volume by a subPath', async () => {
    await cluster.kube
      .create(
        pods,
        pod('hostile', idle, {
          container: { volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'a/../../../etc' }] },
          spec: { volumes: [{ name: 'data', emptyDir: {} }] },
        }),
      )
      .catch(() => undefined);
    await cluster.kube.create(
      pods,
      pod('linked', idle, {
        container: { volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'link/x' }] },
        spec: {
          volumes: [{ name: 'data', emptyDir: {} }],
          initContainers: [
            container(`require('node:fs').symlinkSync('/etc', process.env.DATA + '/link')`, {
              name: 'links',
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            }),
          ],
        },
      }),
    );
    const waiting = await until('it is refused', async () => {
      const found = await waitingOf('linked');
      return found?.reason === 'CreateContainerConfigError' && found;
    });
    expect(waiting.message).toBe('subPath "link/x" passes a symbolic link');
    expect(isReady(await find('hostile'))).toBe(false);
  });

  it('sees the bytes of a Secret in files that no other user reads', async () => {
    await cluster.kube.create(secrets, {
      metadata: { name: 'bytes', namespace },
      data: { key: Buffer.from([0, 255, 1]).toString('base64') },
    });
    await cluster.kube.create(
      pods,
      pod(
        'reads',
        `const fs = require('node:fs'); const file = process.env.DATA + '/key'; console.log([...fs.readFileSync(file)].join(), (fs.statSync(file).mode & 0o777).toString(8)); ${idle}`,
        {
          container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
          spec: { volumes: [{ name: 'data', secret: { secretName: 'bytes' } }] },
        },
      ),
    );
    await readyPod(cluster.kube, 'reads');
    await until('it has told', async () => (await logOf('reads')) === '0,255,1 400\n');
  });

  it('takes its whole process group with it', async () => {
    const script = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'inherit' }); console.log(child.pid); process.on('SIGTERM', () => process.exit(0));`;
    await cluster.kube.create(pods, pod('parent', script));
    await readyPod(cluster.kube, 'parent');
    const child = Number(await until('it has a child', async () => (await logOf('parent')).trim()));
    expect(isAlive(child)).toBe(true);
    await cluster.kube.delete(pods, 'parent', { namespace });
    await gone('parent');
    await until('the child has ended', () => !isAlive(child));
  });

  it('runs its preStop hook before it is asked to stop, and its postStart hook before it is ready', async () => {
    const append = (word: string) => ['node', '-e', `require('node:fs').appendFileSync(process.env.DATA + '/said', '${word} ')`];
    await cluster.kube.create(persistentVolumeClaims, {
      metadata: { name: 'said', namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    });
    await cluster.kube.create(
      pods,
      pod(
        'hooked',
        `process.on('SIGTERM', () => { require('node:fs').appendFileSync(process.env.DATA + '/said', 'term'); process.exit(0); }); setInterval(() => {}, 1000);`,
        {
          container: {
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
            lifecycle: { postStart: { exec: { command: append('start') } }, preStop: { exec: { command: append('stop') } } },
          },
          spec: { terminationGracePeriodSeconds: 10, volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'said' } }] },
        },
      ),
    );
    await readyPod(cluster.kube, 'hooked');
    await cluster.kube.delete(pods, 'hooked', { namespace });
    await gone('hooked');
    const { spec } = await cluster.kube.get(persistentVolumeClaims, 'said', { namespace });
    expect(await readFile(join(cluster.folder, 'data', 'volumes', spec!.volumeName!, 'said'), 'utf8')).toBe('start stop term');
  });

  it('whose preStop hook itself ends the process is gone, and is not started again', async () => {
    const hook = `process.kill(Number(require('node:fs').readFileSync(process.env.DATA + '/pid', 'utf8')), 'SIGTERM'); setTimeout(() => {}, 2000)`;
    const script = `require('node:fs').appendFileSync(process.env.DATA + '/pid', String(process.pid)); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`;
    await cluster.kube.create(
      pods,
      pod('quits', script, {
        container: {
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
          lifecycle: { preStop: { exec: { command: ['node', '-e', hook] } } },
        },
        spec: { terminationGracePeriodSeconds: 6, volumes: [{ name: 'data', emptyDir: {} }] },
      }),
    );
    const process = pidOf(await readyPod(cluster.kube, 'quits'));
    await cluster.kube.delete(pods, 'quits', { namespace: 'default' });
    await until('the process has ended', () => !isAlive(process));
    await until('the pod is gone', async () => !(await cluster.kube.find(pods, 'quits', { namespace: 'default' })), 30_000);
  });

  it('that is deleted by force ends soon after', async () => {
    await cluster.kube.create(
      pods,
      pod('stubborn', `process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000);`, {
        spec: { terminationGracePeriodSeconds: 600 },
      }),
    );
    const pid = pidOf(await readyPod(cluster.kube, 'stubborn'));
    await until('it is deaf', () => logOf('stubborn'));
    await cluster.kube.delete(pods, 'stubborn', { namespace });
    expect((await find('stubborn'))?.metadata?.deletionTimestamp).toBeTruthy();
    await cluster.kube.delete(pods, 'stubborn', { namespace, gracePeriodSeconds: 0 });
    await until('it has ended', () => !isAlive(pid), 20_000);
  });

  it('with a claim waits until the one that has it open has ended', async () => {
    await cluster.kube.create(persistentVolumeClaims, {
      metadata: { name: 'shared', namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    });
    const claimed = {
      container: {
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
        readinessProbe: { exec: { command: ['/bin/sh', '-c', 'test -e "$DATA/open"'] }, timeoutSeconds: 20, periodSeconds: 1 },
      },
      spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'shared' } }], terminationGracePeriodSeconds: 30 },
    };
    const slow = `const file = process.env.DATA + '/open'; process.on('SIGTERM', () => setTimeout(() => { require('node:fs').rmSync(file); process.exit(0); }, 700)); require('node:fs').writeFileSync(file, '', { flag: 'wx' }); setInterval(() => {}, 1000);`;
    await cluster.kube.create(pods, pod('holder', slow, claimed));
    await readyPod(cluster.kube, 'holder');
    await cluster.kube.delete(pods, 'holder', { namespace });
    await cluster.kube.create(pods, pod('successor', slow, claimed));
    const ready = await readyPod(cluster.kube, 'successor');
    expect(ready.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(await find('holder')).toBeUndefined();
  });

  it('whose exec is given up ends the command', async () => {
    await cluster.kube.create(pods, pod('left', idle));
    await readyPod(cluster.kube, 'left');
    const leaving = new AbortController();
    const { PassThrough } = await import('node:stream');
    const stdout = new PassThrough();
    let printed = '';
    stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const running = cluster.kube
      .exec('left', {
        namespace,
        command: ['node', '-e', 'console.log(process.pid); setInterval(() => {}, 1000)'],
        stdout,
        signal: leaving.signal,
      })
      .catch(() => undefined);
    const pid = Number(await until('it runs', () => printed.trim()));
    leaving.abort();
    await running;
    await until('the command has ended', () => !isAlive(pid));
  });

  it.runIf(process.getuid?.() === 0)('runs as an unprivileged user when the cluster is root, and owns its volumes', async () => {
    await cluster.kube.create(
      pods,
      pod('user', `console.log(process.getuid(), process.getgid(), process.getgroups().length); ${idle}`, {
        container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'said' } }] },
      }),
    );
    await readyPod(cluster.kube, 'user');
    const [uid] = (await until('it has told', () => logOf('user'))).split(' ').map(Number);
    expect(uid).toBeGreaterThan(0);
    const { spec } = await cluster.kube.get(persistentVolumeClaims, 'said', { namespace });
    expect((await stat(join(cluster.folder, 'data', 'volumes', spec!.volumeName!))).uid).toBe(uid);
  });

  it('starts again with the cluster, and its restarts are counted on', async () => {
    await cluster.kube.create(pods, pod('stays', `${idle} console.log('here')`));
    const before = await readyPod(cluster.kube, 'stays');
    await cluster.restart();
    expect(isAlive(pidOf(before))).toBe(false);
    const after = await readyPod(cluster.kube, 'stays');
    expect(after.metadata?.uid).toBe(before.metadata?.uid);
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(1);
    expect(pidOf(after)).not.toBe(pidOf(before));
  });

  it('is told of in events', async () => {
    const reasons = (await eventsOf('first')).map(({ reason }) => reason);
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) expect(reasons).toContain(reason);
  });
});
