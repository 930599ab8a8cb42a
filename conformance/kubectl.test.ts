import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pods, statefulSets } from '@skipper/api';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { createNamespace, gone, kube, kubeconfigPath, readyPod } from './support/cluster.ts';
import { configMaps, deployments, replicaSets } from './support/kinds.ts';
import { nodePod, podSpec, scripts } from './support/pods.ts';
import { until } from './support/until.ts';

/** The kubectl to use: `KUBECTL`, else the one on PATH. */
const program = process.env['KUBECTL'] ?? 'kubectl';
const missing = spawnSync(program, ['version', '--client']).error !== undefined;

const namespace = missing ? '' : await createNamespace('kubectl');
const inNamespace = { namespace };
// kubectl caches discovery under HOME; a folder of this run's own keeps clusters on one address apart.
const home = mkdtempSync(join(tmpdir(), 'kubectl-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(program, ['--kubeconfig', kubeconfigPath, '--namespace', namespace, ...args], {
    env: { ...process.env, HOME: home, KUBECTL_KUBERC: 'false' },
  });
}

/** Runs kubectl to its end. */
async function attempt(args: string[], input = ''): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(...args);
  child.stdin.on('error', () => {}).end(input);
  const exited = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

async function kubectl(args: string[], input?: string): Promise<string> {
  const { code, out, err } = await attempt(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${err}`);
  return out;
}

const manifest = (name: string, data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const deployment = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec(scripts.idle) },
  },
});

describe.skipIf(missing)(`kubectl${missing ? ` (there is no ${program} on this machine)` : ''}`, () => {
  it('knows the resources', async () => {
    // It fails when a group goes between being listed and being asked for, as those of other files do.
    const out = await until('the resources are listed', () => kubectl(['api-resources']));
    expect(out).toMatch(/^pods +po +v1 +true +Pod$/m);
    expect(out).toMatch(/^statefulsets +sts +apps\/v1 +true +StatefulSet$/m);
    expect(await kubectl(['api-versions'])).toContain('apps/v1\n');
    expect(await kubectl(['version'])).toMatch(/Server Version: v1\./);
  });

  it('explains fields', async () => {
    expect(await kubectl(['explain', 'pod'])).toMatch(/^KIND: +Pod$/m);
    expect(await kubectl(['explain', 'statefulset.spec.template.spec.containers.image'])).toMatch(/(Container|Docker) image name/);
    expect((await attempt(['explain', 'pod.spec.nothing'])).err).toContain('field "nothing" does not exist');
  });

  it('creates, gets, describes and deletes', async () => {
    expect(await kubectl(['create', 'configmap', 'basic', '--from-literal=a=1'])).toBe('configmap/basic created\n');
    expect(await kubectl(['get', 'configmap', 'basic'])).toMatch(/^NAME +DATA +AGE\nbasic +1 +(\d+[smh])+\n$/);
    expect(await kubectl(['get', 'cm', 'basic', '-o', 'jsonpath={.data.a}'])).toBe('1');
    expect(await kubectl(['get', 'cm', 'basic', '-o', 'yaml'])).toMatch(/^apiVersion: v1\ndata:\n {2}a: "1"\nkind: ConfigMap\n/);
    expect(await kubectl(['describe', 'configmap', 'basic'])).toMatch(/^Name: +basic\nNamespace: +conformance-kubectl-/);
    expect(await kubectl(['delete', 'configmap', 'basic'])).toMatch(/^configmap "basic" deleted/);
    expect((await attempt(['get', 'configmap', 'basic'])).err).toBe('Error from server (NotFound): configmaps "basic" not found\n');
  });

  it('applies on its own side', async () => {
    expect(await kubectl(['apply', '-f', '-'], manifest('client', { a: '1', b: '2' }))).toBe('configmap/client created\n');
    expect(await kubectl(['apply', '-f', '-'], manifest('client', { a: '1', b: '2' }))).toBe('configmap/client unchanged\n');
    expect(await kubectl(['diff', '-f', '-'], manifest('client', { a: '1', b: '2' }))).toBe('');
    expect(await kubectl(['apply', '-f', '-'], manifest('client', { a: '3' }))).toBe('configmap/client configured\n');
    expect((await kube.get<ConfigMap>(configMaps, 'client', inNamespace)).data).toEqual({ a: '3' });
    const workload = deployment('applied', 0);
    await kubectl(['apply', '-f', '-'], JSON.stringify(workload));
    workload.spec.template.spec.containers[0]!.env = [{ name: 'A', value: '1' }];
    expect(await kubectl(['apply', '-f', '-'], JSON.stringify(workload))).toBe('deployment.apps/applied configured\n');
    expect((await kube.get(deployments, 'applied', inNamespace)).spec?.template.spec?.containers).toMatchObject([
      { env: [{ name: 'A', value: '1' }] },
    ]);
  });

  it('applies on the server, and reports conflicts', async () => {
    expect(await kubectl(['apply', '--server-side', '-f', '-'], manifest('server', { a: '1' }))).toBe(
      'configmap/server serverside-applied\n',
    );
    const refused = await attempt(['apply', '--server-side', '--field-manager=other', '-f', '-'], manifest('server', { a: '2' }));
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain('Apply failed with 1 conflict: conflict with "kubectl": .data.a');
    await kubectl(['apply', '--server-side', '--field-manager=other', '--force-conflicts', '-f', '-'], manifest('server', { a: '2' }));
    expect((await kube.get<ConfigMap>(configMaps, 'server', inNamespace)).data).toEqual({ a: '2' });
  });

  it('refuses unknown fields and prints what is wrong', async () => {
    const unknown = await attempt(['apply', '-f', '-'], JSON.stringify({ ...JSON.parse(manifest('unknown', {})), dada: {} }));
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('unknown field "dada"');
    const invalid = await attempt(['apply', '-f', '-'], manifest('Invalid', {}));
    expect(invalid.err).toContain('The ConfigMap "Invalid" is invalid: metadata.name: Invalid value: "Invalid"');
  });

  it('patches, labels, annotates and edits in each way', async () => {
    await kubectl(['create', 'configmap', 'patched', '--from-literal=a=1']);
    expect(await kubectl(['patch', 'configmap', 'patched', '-p', '{"data":{"b":"2"}}'])).toBe('configmap/patched patched\n');
    await kubectl(['patch', 'configmap', 'patched', '--type=merge', '-p', '{"data":{"a":null}}']);
    await kubectl(['patch', 'configmap', 'patched', '--type=json', '-p', '[{"op":"add","path":"/data/c","value":"3"}]']);
    await kubectl(['label', 'configmap', 'patched', 'x=y']);
    await kubectl(['annotate', 'configmap', 'patched', 'example.com/x=z']);
    expect(await kube.get<ConfigMap>(configMaps, 'patched', inNamespace)).toMatchObject({
      data: { b: '2', c: '3' },
      metadata: { labels: { x: 'y' }, annotations: { 'example.com/x': 'z' } },
    });
    expect(await kubectl(['get', 'cm', '-l', 'x=y', '-o', 'name'])).toBe('configmap/patched\n');
  });

  it('watches', async () => {
    await kubectl(['create', 'configmap', 'watched']);
    const child = start('get', 'configmap', 'watched', '-w', '--output-watch-events');
    let seen = '';
    child.stdout.on('data', (data: Buffer) => {
      seen += data.toString();
    });
    try {
      await until('the first row is printed', () => /^ADDED +watched +0/m.test(seen));
      await kube.patch<ConfigMap>(configMaps, 'watched', { data: { a: '1' } }, inNamespace);
      await until('the change is printed', () => /^MODIFIED +watched +1/m.test(seen));
      await kube.delete(configMaps, 'watched', inNamespace);
      await until('the end is printed', () => /^DELETED +watched +1/m.test(seen));
    } finally {
      child.kill();
    }
  });

  it('scales, rolls and waits', async () => {
    await kubectl(['apply', '-f', '-'], JSON.stringify(deployment('rolled', 1)));
    await kubectl(['rollout', 'status', 'deployment/rolled', '--timeout=200s']);
    expect(await kubectl(['get', 'deployment', 'rolled'])).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nrolled +1\/1 +1 +1 +(\d+[smh])+\n$/,
    );
    await kubectl(['wait', 'deployment/rolled', '--for=condition=Available', '--timeout=200s']);
    expect(await kubectl(['get', 'pods', '-l', 'app=rolled', '-o', 'wide'])).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nrolled-\S+ +1\/1 +Running +0 +(\d+[smh])+ +\d+\.\d+\.\d+\.\d+ +\S+ +<none> +<none>\n$/,
    );
    expect(await kubectl(['describe', 'deployment', 'rolled'])).toMatch(/Replicas: +1 desired \| 1 updated \| 1 total \| 1 available/);
    await kubectl(['scale', 'deployment/rolled', '--replicas=0']);
    await kubectl(['wait', 'pod', '-l', 'app=rolled', '--for=delete', '--timeout=200s']);
    await kubectl(['delete', 'deployment', 'rolled']);
  }, 600_000);

  it('deletes with each kind of cascade', async () => {
    for (const name of ['orphan', 'foreground', 'background']) {
      await kubectl(['apply', '-f', '-'], JSON.stringify(deployment(name, 0)));
      await until(
        'it has a replica set',
        async () => (await kube.list(replicaSets, { namespace, labelSelector: `app=${name}` })).items.length === 1,
      );
      await kubectl(['delete', 'deployment', name, `--cascade=${name}`]);
      await gone(deployments, name, namespace);
    }
    await until(
      'the others are gone',
      async () => (await kube.list(replicaSets, { namespace, labelSelector: 'app in (foreground,background)' })).items.length === 0,
    );
    expect((await kube.list(replicaSets, { namespace, labelSelector: 'app=orphan' })).items).toHaveLength(1);
  });

  it('reads logs, runs commands, forwards ports and describes a pod', async () => {
    await kube.create(
      pods,
      nodePod(namespace, 'talks', `${scripts.echo} setInterval(() => console.log('tick'), 200)`, {
        container: { readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 } },
      }),
    );
    await kubectl(['wait', 'pod/talks', '--for=condition=Ready', '--timeout=200s']);
    expect(await kubectl(['logs', 'talks'])).toContain('listening on 8080\n');

    const following = start('logs', '-f', 'talks', '--tail=1');
    let log = '';
    following.stdout.on('data', (data: Buffer) => {
      log += data.toString();
    });
    await until('the log is followed', () => log.split('tick').length > 4);
    following.kill();

    expect(
      await attempt(
        [
          'exec',
          '-i',
          'talks',
          '--',
          'node',
          '-e',
          'process.stdin.on("data", (data) => process.stdout.write(String(data).toUpperCase())).on("end", () => { console.error("done"); process.exitCode = 4; })',
        ],
        'input',
      ),
    ).toMatchObject({ code: 4, out: 'INPUT', err: expect.stringContaining('done\n') });

    const forwarding = start('port-forward', 'pod/talks', ':8080');
    try {
      let printed = '';
      forwarding.stdout.on('data', (data: Buffer) => {
        printed += data.toString();
      });
      const port = await until('the port is forwarded', () => Number(/127\.0\.0\.1:(\d+) -> 8080/.exec(printed)?.[1]) || undefined);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => {
          const socket = connect(port, '127.0.0.1');
          socket.end(`hello ${index}`);
          return text(socket);
        }),
      );
      expect(answers).toEqual(answers.map((_, index) => `8080 HELLO ${index}`));
    } finally {
      forwarding.kill();
    }

    const described = await until('the description has its events', async () => {
      const out = await kubectl(['describe', 'pod', 'talks']);
      return /Started/.test(out) && out;
    });
    expect(described).toMatch(/^Status: +Running$/m);
    expect(described).toMatch(/Normal +Scheduled|Normal +Created/);
    expect(await kubectl(['get', 'events', '--field-selector', 'involvedObject.name=talks'])).toMatch(/pod\/talks/);
    await kubectl(['delete', 'pod', 'talks', '--wait']);
    expect(await kube.find(pods, 'talks', inNamespace)).toBeUndefined();
  });

  it('restarts a stateful set and waits for it', async () => {
    await kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ ...deployment('state', 1), kind: 'StatefulSet', spec: { ...deployment('state', 1).spec, serviceName: 'state' } }),
    );
    await kubectl(['rollout', 'status', 'statefulset/state', '--timeout=200s']);
    const before = await readyPod(namespace, 'state-0');
    await kubectl(['rollout', 'restart', 'statefulset/state']);
    await kubectl(['rollout', 'status', 'statefulset/state', '--timeout=200s']);
    expect((await readyPod(namespace, 'state-0')).metadata?.uid).not.toBe(before.metadata?.uid);
    expect(await kubectl(['get', 'sts'])).toMatch(/^NAME +READY +AGE\nstate +1\/1 +(\d+[smh])+\n$/);
    expect(await kubectl(['get', 'all', '-l', 'app=state'])).toContain('pod/state-0');
    await kube.delete(statefulSets, 'state', { namespace, propagation: 'Background' });
  }, 600_000);

  it('says who may do what', async () => {
    expect(await kubectl(['auth', 'can-i', 'create', 'pods'])).toBe('yes\n');
  });
});
