import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { childNames, namespaces, persistentVolumeClaims, pods, secrets, statefulServices, statefulSets } from '@skipper/api';
import { deleteWithData } from './support/delete-service.ts';
import { openCluster, type Background, type Ended, type TestCluster } from './support/kip.ts';
import { until } from './support/until.ts';

let cluster: TestCluster;
const project = `e2e-${randomBytes(3).toString('hex')}`;
const used = new Set<string>();

const inScope = (environment?: string): string[] => {
  used.add(environment === undefined ? project : `${project}-${environment}`);
  return ['--project', project, ...(environment === undefined ? [] : ['--environment', environment])];
};

async function succeed(...args: string[]): Promise<Ended> {
  const ended = await cluster.kip(...args);
  expect(ended, `kip ${args.join(' ')}`).toMatchObject({ code: 0 });
  return ended;
}

function detailsIn(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^ {2}(\w+): +(\S+)$/gm)].map(([, label, value]) => [label!, value!]));
}

async function openTunnel(name: string, environment?: string): Promise<Background & { port: number }> {
  const tunnel = await cluster.background(/Press Ctrl\+C to close/, 'tunnel', name, ...inScope(environment), '--local-port', '0');
  return { ...tunnel, port: Number(/localhost:(\d+)/.exec(tunnel.output())![1]) };
}

async function query(port: number, details: Record<string, string>, text: string): Promise<unknown[]> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: details['Username'],
    password: details['Password'],
    database: details['Database'],
    connectionTimeoutMillis: 30_000,
  });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  cluster = await openCluster();
});

afterAll(async () => {
  for (const namespace of used) {
    for (const { metadata } of (await cluster.client.list(statefulServices, { namespace })).items) {
      await deleteWithData(cluster.client, metadata!.name!, namespace);
    }
    await until('all services are gone', async () => (await cluster.client.list(statefulServices, { namespace })).items.length === 0);
    await cluster.client.delete(namespaces, namespace);
  }
  await cluster.close();
});

describe('a postgres service', () => {
  let details: Record<string, string>;

  it('is added, and its connection details are printed as the page shows them', async () => {
    const { stdout } = await succeed('service', 'add', 'postgres', '--name', 'db', ...inScope(), '--storage', '1Gi');
    expect(stdout).toMatch(
      new RegExp(
        `^ {2}Host: {5}db\\.${project}\\.svc\\.cluster\\.local\n {2}Port: {5}5432\n {2}Username: skipper\n {2}Password: [A-Za-z0-9_-]{24,}\n {2}Database: app\n$`,
      ),
    );
    details = detailsIn(stdout);
  });

  it('shows the same details again', async () => {
    expect((await succeed('service', 'info', 'db', ...inScope())).stdout).toBe(
      `  Host:     ${details['Host']}\n  Port:     5432\n  Username: skipper\n  Password: ${details['Password']}\n  Database: app\n`,
    );
    const { stdout } = await succeed('service', 'info', 'db', ...inScope(), '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'db',
      type: 'postgres',
      status: 'running',
      host: details['Host'],
      password: details['Password'],
      uri: expect.stringContaining('postgresql://skipper:'),
    });
  });

  it('is listed', async () => {
    expect((await succeed('service', 'list', ...inScope())).stdout).toBe(
      '  NAME       TYPE         STATUS     READY      STORAGE\n  db         postgres     running    1/1        1Gi\n',
    );
  });

  it('is refused a second time', async () => {
    const { code, stderr } = await cluster.kip('service', 'add', 'postgres', '--name', 'db', ...inScope());
    expect(code).toBe(1);
    expect(stderr).toContain('already');
  });

  it('is reached through a tunnel, which goes on when the service is restarted', async () => {
    const tunnel = await openTunnel('db');
    expect(tunnel.output()).toBe(`  ✔  Tunnel open: localhost:${tunnel.port} → db (postgres)\n  Press Ctrl+C to close\n`);
    await query(tunnel.port, details, 'CREATE TABLE kept (text text)');
    await query(tunnel.port, details, "INSERT INTO kept VALUES ('row')");
    const before = await cluster.client.get(pods, 'db-0', { namespace: project });

    const refused = await cluster.kip('service', 'restart', 'db', ...inScope());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('--force');
    expect((await cluster.client.get(pods, 'db-0', { namespace: project })).metadata?.uid).toBe(before.metadata?.uid);

    await succeed('service', 'restart', 'db', ...inScope(), '--force');
    expect((await cluster.client.get(pods, 'db-0', { namespace: project })).metadata?.uid).not.toBe(before.metadata?.uid);
    expect(await query(tunnel.port, details, 'SELECT text FROM kept')).toEqual([{ text: 'row' }]);
    expect(await tunnel.interrupt()).toBe(0);
  });

  it('lets nobody in with another password', async () => {
    const tunnel = await openTunnel('db');
    await expect(query(tunnel.port, { ...details, Password: 'wrong' }, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    await tunnel.interrupt();
  });

  it('says which option helps when the local port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { code, stderr } = await cluster.kip('tunnel', 'db', ...inScope(), '--local-port', String((taken.address() as AddressInfo).port));
    taken.close();
    expect(code).toBe(1);
    expect(stderr).toContain('--local-port');
  });

  it('comes back with its volume and password after the resource alone was deleted', async () => {
    const namespace = project;
    await cluster.client.delete(statefulServices, 'db', { namespace });
    await until('the resource is gone', async () => !(await cluster.client.find(statefulServices, 'db', { namespace })));
    await until('the pod is gone', async () => !(await cluster.client.find(pods, 'db-0', { namespace })));
    expect(await cluster.client.find(persistentVolumeClaims, childNames.claim('db'), { namespace })).toBeDefined();
    const { stdout } = await succeed('service', 'add', 'postgres', '--name', 'db', ...inScope(), '--storage', '1Gi');
    expect(detailsIn(stdout)).toEqual(details);
    const tunnel = await openTunnel('db');
    expect(await query(tunnel.port, details, 'SELECT text FROM kept')).toEqual([{ text: 'row' }]);
    await tunnel.interrupt();
  });

  it('is not deleted without --delete-data', async () => {
    const { code, stderr } = await cluster.kip('service', 'delete', 'db', ...inScope());
    expect(code).toBe(1);
    expect(stderr).toContain('--delete-data');
    expect((await succeed('service', 'list', ...inScope())).stdout).toContain('running');
  });

  it('is deleted with its volume and credentials with --delete-data', async () => {
    await succeed('service', 'delete', 'db', ...inScope(), '--delete-data');
    const namespace = project;
    expect(await cluster.client.find(statefulServices, 'db', { namespace })).toBeUndefined();
    await until(
      'the claim is gone',
      async () => !(await cluster.client.find(persistentVolumeClaims, childNames.claim('db'), { namespace })),
    );
    expect(await cluster.client.find(secrets, childNames.credentials('db'), { namespace })).toBeUndefined();
  });
});

describe('environments', () => {
  it('have services of one name that share nothing', async () => {
    const [test, prod] = await Promise.all(
      ['test', 'prod'].map(async (environment) =>
        detailsIn((await succeed('service', 'add', 'redis', '--name', 'cache', ...inScope(environment))).stdout),
      ),
    );
    expect(test!['Host']).toBe(`cache.${project}-test.svc.cluster.local`);
    expect(prod!['Host']).toBe(`cache.${project}-prod.svc.cluster.local`);
    expect(test!['Password']).not.toBe(prod!['Password']);
    const tunnel = await openTunnel('cache', 'test');
    const connect = (password: string): Redis =>
      new Redis({
        host: '127.0.0.1',
        port: tunnel.port,
        username: 'skipper',
        password,
        lazyConnect: true,
        retryStrategy: () => null,
        maxRetriesPerRequest: 0,
      });
    const allowed = connect(test!['Password']!);
    await allowed.connect();
    expect(await allowed.set('key', 'value')).toBe('OK');
    allowed.disconnect();
    const stranger = connect(prod!['Password']!);
    stranger.on('error', () => undefined);
    await expect(stranger.connect().then(() => stranger.get('key'))).rejects.toThrow();
    stranger.disconnect();
    await tunnel.interrupt();
  });

  it('are isolated on the network', async ({ skip }) => {
    skip(cluster.embedded, 'the embedded cluster keeps NetworkPolicies but cannot enforce them: its pods are processes of one machine');
    const host = `cache.${project}-test.svc.cluster.local`;
    const reaches = async (environment: string): Promise<boolean> => {
      const namespace = `${project}-${environment}`;
      const name = `probe-${randomBytes(3).toString('hex')}`;
      await cluster.client.create(pods, {
        metadata: { name, namespace },
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'probe',
              image: 'docker.io/library/redis:8-alpine',
              imagePullPolicy: 'IfNotPresent',
              command: ['sh', '-c', `sleep 2; timeout 5 redis-cli -h ${host} ping`],
            },
          ],
        },
      });
      const ended = await until('the probe has ended', async () => {
        const pod = await cluster.client.get(pods, name, { namespace });
        return ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '') && pod;
      });
      let output = '';
      for await (const chunk of await cluster.client.logs(name, { namespace })) output += String(chunk);
      await cluster.client.delete(pods, name, { namespace, gracePeriodSeconds: 0 });
      return ended.status?.phase === 'Succeeded' && output.includes('NOAUTH');
    };
    await until('a pod of its own environment reaches it', () => reaches('test'));
    expect(await reaches('prod')).toBe(false);
  });
});

describe('what is wrong', () => {
  const long = 'a'.repeat(53);
  it.each([
    ['an unknown type', ['service', 'add', 'oracle', '--name', 'x'], /oracle.*postgres, mysql/s],
    ['no name', ['service', 'add', 'postgres'], /name/],
    ['an invalid name', ['service', 'add', 'postgres', '--name', 'My_DB'], /My_DB/],
    ['a name that is too long', ['service', 'add', 'postgres', '--name', long], /52/],
    [
      'a project and environment that are too long',
      ['service', 'add', 'postgres', '--name', 'x', '--project', 'p'.repeat(40), '--environment', 'e'.repeat(40)],
      /63/,
    ],
    ['5GB', ['service', 'add', 'postgres', '--name', 'x', '--storage', '5GB'], /5Gi/],
    ['a negative size', ['service', 'add', 'postgres', '--name', 'x', '--storage=-1Gi'], /-1Gi/],
    ['a version that does not exist', ['service', 'add', 'postgres', '--name', 'x', '--version', '9'], /9/],
    ['an unknown command', ['servise', 'list'], /servise/],
  ])('is said of %s, with exit code 2 and nothing made', async (_what, args, message) => {
    const scope = args.includes('--project') || args[0] !== 'service' ? [] : ['--project', `${project}-none`];
    const { code, stderr, stdout } = await cluster.kip(...args, ...scope);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(await cluster.client.find(namespaces, `${project}-none`)).toBeUndefined();
  });

  it('is said of a service that does not exist', async () => {
    for (const args of [
      ['service', 'info', 'nothing'],
      ['tunnel', 'nothing'],
      ['service', 'delete', 'nothing', '--delete-data'],
    ]) {
      const { code, stderr } = await cluster.kip(...args, ...inScope('test'));
      expect(code).toBe(1);
      expect(stderr).toContain('no service "nothing"');
    }
  });

  it("leaves somebody else's StatefulSet alone and names it", async () => {
    inScope('foreign');
    const namespace = `${project}-foreign`;
    await cluster.client.create(namespaces, { metadata: { name: namespace } });
    const template = {
      metadata: { labels: { app: 'theirs' } },
      spec: { containers: [{ name: 'main', image: 'docker.io/library/redis:8-alpine', imagePullPolicy: 'IfNotPresent' }] },
    };
    const theirs = await cluster.client.create(statefulSets, {
      metadata: { name: 'theirs', namespace },
      spec: { replicas: 0, serviceName: 'theirs', selector: { matchLabels: { app: 'theirs' } }, template },
    });
    const { code, stderr } = await cluster.kip('service', 'add', 'redis', '--name', 'theirs', ...inScope('foreign'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/will not get there by itself.*StatefulSet "?theirs/);
    const after = await cluster.client.get(statefulSets, 'theirs', { namespace });
    expect(after.metadata?.generation).toBe(theirs.metadata?.generation);
    await cluster.client.delete(statefulSets, 'theirs', { namespace });
  });

  it('is said of a namespace that belongs to another project', async () => {
    inScope('test');
    const { code, stderr } = await cluster.kip('service', 'add', 'redis', '--name', 'x', '--project', `${project}-test`);
    expect(code).toBe(1);
    expect(stderr).toContain(`project "${project}"`);
  });

  it('is said of clusters that do not answer or do not know us', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kip-e2e-kubeconfig-'));
    const change = async (edit: (kubeconfig: any) => void): Promise<string> => {
      const kubeconfig = parse(await readFile(cluster.kubeconfig, 'utf8'));
      edit(kubeconfig);
      const file = join(folder, randomBytes(4).toString('hex'));
      await writeFile(file, stringify(kubeconfig), { mode: 0o600 });
      return file;
    };
    const nowhere = await change(({ clusters }) => (clusters[0].cluster.server = 'https://127.0.0.1:9'));
    const unreachable = await cluster.kip('--kubeconfig', nowhere, 'service', 'list');
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).toContain('127.0.0.1:9');
    const stranger = await change(({ users }) => (users[0].user = { token: 'expired' }));
    const unauthorized = await cluster.kip('--kubeconfig', stranger, 'service', 'list');
    expect(unauthorized.code).toBe(1);
    expect(unauthorized.stderr).toMatch(/credentials/);
    await rm(folder, { recursive: true });
  });

  it('is said when there is no cluster, with the command that makes one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kip-e2e-home-'));
    const { code, stderr } = await cluster.kipWith({ KIP_HOME: folder, HOME: folder, KUBECONFIG: '' }, 'service', 'list');
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toContain('kip up');
  });
});
