import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { events, pods, secrets } from '@skipper/api';
import { describe, expect, it } from 'vitest';
import { createNamespace, gone, kube, readyPod } from './support/cluster.ts';
import { configMaps } from './support/kinds.ts';
import { conditionStatus, isReady, nodeContainer, nodePod, scripts } from './support/pods.ts';
import { failureOf, until } from './support/until.ts';

const namespace = await createNamespace('pods');
const inNamespace = { namespace };

const pod = (name: string) => kube.find(pods, name, inNamespace);
const main = async (name: string) => (await pod(name))?.status?.containerStatuses?.[0];
const logOf = async (name: string, options: object = {}) => text(await kube.logs(name, { namespace, ...options }));
/** Lines of a log as they come. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** Serves HTTP on 8080, with success while it is on; {@link turn} turns it. */
const turnable = (on: boolean) => `
  let on = ${on};
  process.on('SIGTERM', () => process.exit(0));
  require('node:http').createServer((request, response) => {
    if (request.method === 'POST') on = request.url === '/on';
    response.writeHead(on ? 200 : 503).end();
  }).listen(8080, process.env.LISTEN_ADDRESS);`;
const turn = (name: string, to: 'on' | 'off') =>
  kube.exec(name, {
    namespace,
    command: [
      'node',
      '-e',
      `require('node:http').request({ host: process.env.LISTEN_ADDRESS || '127.0.0.1', port: 8080, method: 'POST', path: '/${to}', agent: false }, (response) => response.resume()).end()`,
    ],
  });

describe.concurrent('a pod', () => {
  it('runs, is ready and has an address', async () => {
    await kube.create(pods, nodePod(namespace, 'runs', scripts.idle));
    const ready = await readyPod(namespace, 'runs');
    expect(ready).toMatchObject({
      spec: { nodeName: expect.any(String) },
      status: {
        phase: 'Running',
        podIP: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
        startTime: expect.any(String),
        qosClass: 'BestEffort',
        containerStatuses: [
          { name: 'main', ready: true, started: true, restartCount: 0, state: { running: { startedAt: expect.any(String) } } },
        ],
      },
    });
    for (const type of ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready']) expect(conditionStatus(ready, type), type).toBe('True');
    const reasons = await until('events tell of it', async () => {
      const { items } = await kube.list(events, { namespace, fieldSelector: 'involvedObject.name=runs' });
      return items.some(({ reason }) => reason === 'Started') && items.map(({ reason }) => reason);
    });
    expect(reasons).toContain('Created');
  });

  it('that ends well has succeeded', async () => {
    await kube.create(pods, nodePod(namespace, 'succeeds', 'console.log("done")', { spec: { restartPolicy: 'Never' } }));
    const done = await until('it has ended', async () => {
      const seen = await pod('succeeds');
      return seen?.status?.phase === 'Succeeded' && seen;
    });
    expect(done.status?.containerStatuses?.[0]).toMatchObject({
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: expect.any(String), finishedAt: expect.any(String) } },
    });
    expect(await logOf('succeeds')).toBe('done\n');
  });

  it('that ends badly has failed', async () => {
    await kube.create(pods, nodePod(namespace, 'fails', 'process.exit(3)', { spec: { restartPolicy: 'Never' } }));
    const failed = await until('it has ended', async () => {
      const seen = await pod('fails');
      return seen?.status?.phase === 'Failed' && seen;
    });
    expect(failed.status?.containerStatuses?.[0]).toMatchObject({ state: { terminated: { exitCode: 3, reason: 'Error' } } });
  });

  it('is started again after it ended, with back-off, and keeps the log of before', async () => {
    await kube.create(pods, nodePod(namespace, 'crashes', `console.log('life'); setTimeout(() => process.exit(7), 100)`));
    const waiting = await until('it waits before the next start', async () => {
      const status = await main('crashes');
      return status?.state?.waiting?.reason === 'CrashLoopBackOff' && status;
    });
    expect(waiting).toMatchObject({ ready: false, lastState: { terminated: { exitCode: 7, reason: 'Error' } } });
    expect(waiting.restartCount).toBeGreaterThanOrEqual(1);
    expect(waiting.state?.waiting?.message).toContain('back-off');
    expect((await pod('crashes'))?.status?.phase).toBe('Running');
    // A kubelet removes the container of before as the next one ends.
    await until('the log of before is there', async () => (await logOf('crashes', { previous: true })) === 'life\n');
    await until(
      'an event tells of it',
      async () => (await kube.list(events, { namespace, fieldSelector: 'involvedObject.name=crashes,reason=BackOff' })).items.length > 0,
    );
  });

  it('is ready only while its readiness probe succeeds', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'probed', turnable(false), {
        container: {
          // Not before it listens: a kubelet tells of some 25 failures in a row and then is silent.
          readinessProbe: { httpGet: { path: '/', port: 8080 }, initialDelaySeconds: 10, periodSeconds: 1, failureThreshold: 1 },
        },
      }),
    );
    await until('it runs', async () => (await main('probed'))?.state?.running);
    await until('an event tells of the failing probe', async () =>
      (await kube.list(events, { namespace, fieldSelector: 'involvedObject.name=probed,reason=Unhealthy' })).items.some(({ message }) =>
        message?.includes('Readiness probe failed: HTTP probe failed with statuscode: 503'),
      ),
    );
    expect(isReady(await pod('probed'))).toBe(false);
    expect(await turn('probed', 'on')).toBe(0);
    await readyPod(namespace, 'probed');
    expect(await turn('probed', 'off')).toBe(0);
    await until('it is not ready', async () => !isReady(await pod('probed')));
    expect((await main('probed'))?.restartCount).toBe(0);
  });

  it('is restarted when its liveness probe fails, and not before it has started', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'lively', turnable(true), {
        container: {
          startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 120 },
          // Often enough for the command that turns it off to end before.
          livenessProbe: { httpGet: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 8 },
        },
      }),
    );
    const started = await until('it has started', async () => {
      const status = await main('lively');
      return status?.started && status;
    });
    expect(started.restartCount).toBe(0);
    expect(await turn('lively', 'off')).toBe(0);
    // A kubelet may count the restart before it tells how the container of before ended.
    await until('it was restarted, and how it ended is told', async () => {
      const status = await main('lively');
      return (status?.restartCount ?? 0) > 0 && status?.lastState?.terminated;
    });
    await until('an event tells of it', async () =>
      (await kube.list(events, { namespace, fieldSelector: 'involvedObject.name=lively,reason=Killing' })).items.some(({ message }) =>
        message?.includes('failed liveness probe'),
      ),
    );
  });

  it('is probed by commands', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'exec-probed', scripts.idle, {
        container: { readinessProbe: { exec: { command: ['node', '-e', 'process.exit(0)'] }, periodSeconds: 1, timeoutSeconds: 10 } },
      }),
    );
    await kube.create(
      pods,
      nodePod(namespace, 'exec-unready', scripts.idle, {
        container: {
          readinessProbe: {
            exec: { command: ['node', '-e', 'console.log("not yet"); process.exit(1)'] },
            periodSeconds: 1,
            timeoutSeconds: 10,
          },
        },
      }),
    );
    await readyPod(namespace, 'exec-probed');
    await until('an event tells of the failing probe', async () =>
      (await kube.list(events, { namespace, fieldSelector: 'involvedObject.name=exec-unready,reason=Unhealthy' })).items.some(
        ({ message }) => message?.includes('not yet'),
      ),
    );
    expect(isReady(await pod('exec-unready'))).toBe(false);
  });

  it('is asked to stop, and has its grace period for it', async () => {
    const script = `process.on('SIGTERM', () => { console.log('asked'); setTimeout(() => { console.log('stopped'); process.exit(0); }, 3000); }); console.log('up'); setInterval(() => {}, 1000);`;
    await kube.create(pods, nodePod(namespace, 'graceful', script, { spec: { terminationGracePeriodSeconds: 300 } }));
    await until('it is up', async () => (await main('graceful'))?.ready && (await logOf('graceful')) === 'up\n');
    const log = text(await kube.logs('graceful', { namespace, follow: true }));
    const started = Date.now();
    const deleted = await kube.delete(pods, 'graceful', inNamespace);
    expect(deleted?.metadata?.deletionGracePeriodSeconds).toBe(300);
    expect((await pod('graceful'))?.metadata?.deletionTimestamp).toBeTruthy();
    await gone(pods, 'graceful', namespace);
    expect(Date.now() - started).toBeGreaterThan(2_900);
    expect(Date.now() - started).toBeLessThan(200_000);
    // An early kubelet adds what it thinks of the container's being gone.
    expect(await log).toMatch(/^up\nasked\nstopped\n(rpc error: .*)?$/);
  });

  it('is stopped by force when its grace period is over', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'stubborn', `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`, {
        spec: { terminationGracePeriodSeconds: 2 },
      }),
    );
    await readyPod(namespace, 'stubborn');
    const started = Date.now();
    const deleted = await kube.delete(pods, 'stubborn', inNamespace);
    expect(deleted?.metadata?.deletionGracePeriodSeconds).toBe(2);
    await gone(pods, 'stubborn', namespace);
    expect(Date.now() - started).toBeGreaterThan(1_500);
    expect(Date.now() - started).toBeLessThan(200_000);
  });

  it('has the variables it was given', async () => {
    await kube.create(secrets, { metadata: { namespace, name: 'variables' }, stringData: { password: 'a$b"c\'d' } });
    await kube.create(configMaps, { metadata: { namespace, name: 'variables' }, data: { ONE: '1', TWO: '2' } });
    await kube.create(
      pods,
      nodePod(
        namespace,
        'variables',
        `const { PLAIN, PASSWORD, POD, IP, JOINED, ESCAPED, ONE, pre_TWO, NONE, LIMIT } = process.env; console.log(JSON.stringify({ PLAIN, PASSWORD, POD, IP, JOINED, ESCAPED, ONE, pre_TWO, NONE: NONE ?? null, LIMIT, argument: process.argv[1] }))`,
        {
          spec: { restartPolicy: 'Never' },
          container: {
            args: ['$(PLAIN)-$(UNKNOWN)'],
            resources: { limits: { memory: '256Mi' } },
            envFrom: [
              { configMapRef: { name: 'variables' } },
              { prefix: 'pre_', configMapRef: { name: 'variables' } },
              { secretRef: { name: 'nothing', optional: true } },
            ],
            env: [
              { name: 'PLAIN', value: 'a' },
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'variables', key: 'password' } } },
              { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'JOINED', value: '$(PLAIN)/$(POD)' },
              { name: 'ESCAPED', value: '$$(PLAIN) $(NEVER)' },
              { name: 'NONE', valueFrom: { secretKeyRef: { name: 'variables', key: 'nothing', optional: true } } },
              { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
            ],
          },
        },
      ),
    );
    const done = await until('it has ended', async () => {
      const seen = await pod('variables');
      return seen?.status?.phase === 'Succeeded' && seen;
    });
    expect(JSON.parse(await logOf('variables'))).toEqual({
      PLAIN: 'a',
      PASSWORD: 'a$b"c\'d',
      POD: 'variables',
      IP: done.status?.podIP,
      JOINED: 'a/variables',
      ESCAPED: '$(PLAIN) $(NEVER)',
      ONE: '1',
      pre_TWO: '2',
      NONE: null,
      LIMIT: '268435456',
      argument: 'a-$(UNKNOWN)',
    });
  });

  it('waits for a Secret that is not there yet', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'waits', scripts.idle, {
        container: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'late', key: 'a' } } }] },
      }),
    );
    // A kubelet may first say, by the same reason, that it has not been told of any Secrets yet.
    await until('it says what it waits for', async () => {
      const waiting = (await main('waits'))?.state?.waiting;
      return waiting?.reason === 'CreateContainerConfigError' && waiting.message?.includes('secret "late" not found');
    });
    await kube.create(secrets, { metadata: { namespace, name: 'late' }, stringData: { a: 'b' } });
    await readyPod(namespace, 'waits');
  });

  it('with an image that cannot be had says so', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'imageless', scripts.idle, {
        container: { image: 'registry.invalid/there-is-no-such-image:1', imagePullPolicy: 'IfNotPresent', command: [] },
      }),
    );
    await until('it says so', async () => {
      const waiting = (await main('imageless'))?.state?.waiting;
      return ['ErrImagePull', 'ImagePullBackOff'].includes(waiting?.reason ?? '') && waiting?.message?.includes('there-is-no-such-image');
    });
    expect((await pod('imageless'))?.status?.phase).toBe('Pending');
  });

  it('cannot change what it runs but its image', async () => {
    await kube.create(pods, nodePod(namespace, 'fixed', scripts.idle));
    expect(
      await failureOf(kube.patch(pods, 'fixed', [{ op: 'replace', path: '/spec/containers/0/command', value: ['node'] }], inNamespace)),
    ).toMatchObject({ code: 422, reason: 'Invalid', status: { details: { causes: [{ field: 'spec', reason: 'FieldValueForbidden' }] } } });
  });

  it('runs several containers side by side', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'volumes', scripts.idle, {
        spec: {
          volumes: [{ name: 'scratch', emptyDir: {} }],
          containers: ['main', 'side'].map((name) =>
            nodeContainer(scripts.idle, { name, volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }),
          ),
        },
      }),
    );
    const ready = await readyPod(namespace, 'volumes');
    expect(ready.status?.containerStatuses?.map(({ name, ready }) => `${name} ${ready}`).sort()).toEqual(['main true', 'side true']);
    expect(await failureOf(logOf('volumes'))).toMatchObject({
      code: 400,
      message: expect.stringMatching(/^a container name must be specified for pod volumes, choose one of: \[main side\]/),
    });
  });
});

describe.concurrent('logs', () => {
  it('are followed as they are written, from the end when asked so', async () => {
    const begun = Date.now();
    await kube.create(
      pods,
      nodePod(
        namespace,
        'counts',
        `let n = 0; const count = () => console.log('line ' + n++); for (let i = 0; i < 5; i++) count(); process.on('SIGTERM', () => process.exit(0)); setInterval(count, 300);`,
      ),
    );
    await readyPod(namespace, 'counts');
    const seen: string[] = [];
    const stream = await kube.logs('counts', { namespace, follow: true });
    for await (const line of linesOf(stream)) {
      seen.push(line);
      if (seen.length === 8) break;
    }
    stream.destroy();
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((n) => `line ${n}`));
    expect((await logOf('counts', { tailLines: 2 })).trim().split('\n')).toHaveLength(2);
    expect(await logOf('counts', { tailLines: 0 })).toBe('');
    const stamped = (await logOf('counts', { timestamps: true })).split('\n')[0];
    expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) line 0$/);
    const writtenAt = Date.parse(stamped!.split(' ')[0]!);
    expect(writtenAt).toBeGreaterThan(begun - 1_000);
    expect(writtenAt).toBeLessThan(Date.now() + 1_000);
    expect(await logOf('counts', { sinceSeconds: 3600 })).toContain('line 0\n');
  });

  it('hold both outputs and lines that are not ended', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'outputs', `console.error('to stderr'); process.stdout.write('no end');`, { spec: { restartPolicy: 'Never' } }),
    );
    await until('it has ended', async () => (await pod('outputs'))?.status?.phase === 'Succeeded');
    const log = await logOf('outputs');
    expect(log).toContain('to stderr\n');
    expect(log).toContain('no end');
  });

  it('end when the container does', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'short', `console.log('begin'); setTimeout(() => { console.log('end'); }, 3000)`, {
        spec: { restartPolicy: 'Never' },
      }),
    );
    // Refused while the container waits to be started.
    const log = await until('there is a log', () => kube.logs('short', { namespace, follow: true }));
    expect(await text(log)).toBe('begin\nend\n');
  });

  it('of a pod or container that is not there are refused', async () => {
    expect(await failureOf(logOf('nothing'))).toMatchObject({ code: 404, reason: 'NotFound', message: 'pods "nothing" not found' });
    await kube.create(pods, nodePod(namespace, 'logless', scripts.idle));
    await readyPod(namespace, 'logless');
    expect(await failureOf(logOf('logless', { container: 'other' }))).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message: expect.stringContaining('container other is not valid for pod logless'),
    });
    expect(await failureOf(logOf('logless', { previous: true }))).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message: expect.stringContaining('previous terminated container "main" in pod "logless" not found'),
    });
  });
});

describe.concurrent('exec', () => {
  const run = async (name: string, script: string, input?: string) => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const outputs = Promise.all([text(stdout), text(stderr)]);
    const exitCode = await kube.exec(name, {
      namespace,
      command: ['node', '-e', script],
      stdout,
      stderr,
      ...(input === undefined ? {} : { stdin: Readable.from([input]) }),
    });
    stdout.end();
    stderr.end();
    const [out, err] = await outputs;
    return { exitCode, out, err };
  };

  it('carries input, output, errors and the exit code', async () => {
    await kube.create(pods, nodePod(namespace, 'shell', scripts.idle));
    await readyPod(namespace, 'shell');
    expect(await run('shell', 'console.log("out"); console.error("err"); process.exitCode = 5')).toEqual({
      exitCode: 5,
      out: 'out\n',
      err: 'err\n',
    });
    expect(await run('shell', 'process.exit(0)')).toEqual({ exitCode: 0, out: '', err: '' });
    let written = 0;
    const slow = new Writable({
      write: (chunk: Buffer, _, done) => {
        written += chunk.length;
        setImmediate(done);
      },
    });
    await kube.exec('shell', { namespace, command: ['node', '-e', 'process.stdout.write("x".repeat(3_000_000))'], stdout: slow });
    slow.end();
    await finished(slow, { cleanup: true });
    expect(written).toBe(3_000_000);
    expect([slow.listenerCount('drain'), slow.listenerCount('close')]).toEqual([0, 0]);
    const big = await run('shell', 'process.stdout.write("x".repeat(3_000_000))');
    expect(big.out).toHaveLength(3_000_000);
  });

  it('passes the end of the input on', async () => {
    await kube.create(pods, nodePod(namespace, 'input', scripts.idle));
    await readyPod(namespace, 'input');
    const { exitCode, out } = await run(
      'input',
      'let n = 0; process.stdin.on("data", (data) => n += data.length).on("end", () => console.log("read " + n))',
      'y'.repeat(500_000),
    );
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: 'read 500000\n' });
  });

  it('of a command that is not there fails', async () => {
    await kube.create(pods, nodePod(namespace, 'commandless', scripts.idle));
    await readyPod(namespace, 'commandless');
    const outcome = await kube
      .exec('commandless', {
        namespace,
        command: ['there-is-no-such-command'],
        stdout: new PassThrough().resume(),
        stderr: new PassThrough().resume(),
      })
      .catch((error: unknown) => error);
    expect(outcome).not.toBe(0);
  });

  it('in a pod that is not there is refused', async () => {
    expect(await failureOf(kube.exec('nothing', { namespace, command: ['node'], stdout: new PassThrough() }))).toMatchObject({
      code: 404,
      reason: 'NotFound',
    });
  });
});

describe.concurrent('port-forward', () => {
  it('carries many connections at once, and a refused one disturbs no other', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'echo', scripts.echo, { container: { readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 } } }),
    );
    await readyPod(namespace, 'echo');
    const forward = kube.portForward('echo', inNamespace);
    try {
      const talk = async (index: number): Promise<string> => {
        const connection = forward.connect(index % 2 ? 8080 : 8081);
        connection.end(`message ${index}`);
        return text(connection);
      };
      const refused = async (): Promise<unknown> => {
        const connection = forward.connect(9);
        const [error] = (await once(connection.resume(), 'error').catch((error: unknown) => [error])) as [unknown];
        return error;
      };
      const lasting = forward.connect(8080);
      const replies: string[] = [];
      lasting.on('data', (data: Buffer) => replies.push(data.toString()));
      lasting.write('before');
      await until('it answers', () => replies.join('').includes('BEFORE'));
      const [answers, failure] = await Promise.all([Promise.all(Array.from({ length: 60 }, (_, index) => talk(index))), refused()]);
      expect(answers).toEqual(Array.from({ length: 60 }, (_, index) => `${index % 2 ? 8080 : 8081} MESSAGE ${index}`));
      expect(failure).toBeInstanceOf(Error);
      lasting.end('after');
      await until('it still answers', () => replies.join('') === '8080 BEFOREAFTER');
    } finally {
      forward.close();
    }
  });

  it('carries much in both directions', async () => {
    await kube.create(
      pods,
      nodePod(
        namespace,
        'bulk',
        `process.on('SIGTERM', () => process.exit(0)); require('node:net').createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(8080, process.env.LISTEN_ADDRESS);`,
        { container: { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } } },
      ),
    );
    await readyPod(namespace, 'bulk');
    const forward = kube.portForward('bulk', inNamespace);
    try {
      const connection = forward.connect(8080);
      connection.end(Buffer.alloc(8 << 20, 'abcdefg'));
      let size = 0;
      for await (const chunk of connection) size += (chunk as Buffer).length;
      expect(size).toBe(8 << 20);
    } finally {
      forward.close();
    }
  });
});
