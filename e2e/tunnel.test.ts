import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { namespaces, pods, services, statefulSets } from '@skipper/api';
import { createClient, loadKubeconfig, openTunnel, resolveCluster, type KubeClient, type Tunnel, type TunnelOptions } from '@skipper/kube';

const namespace = `tunnel-${randomBytes(4).toString('hex')}`;
const password = randomBytes(12).toString('hex');
const connections = 1_000;
const atOnce = 50;
/** A kubelet of Kubernetes 1.20 that has pods of other suites to remove lets a minute pass before a pod's place is free. */
const waitForPodMs = 150_000;

let client: KubeClient;
const tunnels: Tunnel[] = [];

beforeAll(async () => {
  client = createClient(resolveCluster(await loadKubeconfig()));
  await client.create(namespaces, { metadata: { name: namespace } });
  await Promise.all([
    startWorkload('postgres', 'docker.io/library/postgres:18-alpine', 5432, '/var/lib/postgresql', {
      // On a real node a backend outlives its client's hang-up by a second.
      args: ['-c', 'max_connections=400'],
      readinessProbe: { exec: { command: ['pg_isready', '-h', '127.0.0.1', '-p', '5432'] }, periodSeconds: 1 },
      env: { POSTGRES_USER: 'skipper', POSTGRES_PASSWORD: password, POSTGRES_DB: 'app', PGDATA: '/var/lib/postgresql/18/docker' },
    }),
    startWorkload('redis', 'docker.io/library/redis:8-alpine', 6379, '/data', {
      args: [],
      readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
      env: {},
    }),
  ]);
});

afterAll(async () => {
  for (const tunnel of tunnels) await tunnel.close();
  await client.delete(namespaces, namespace);
  client.close();
});

describe('a tunnel to PostgreSQL', () => {
  let tunnel: Tunnel;

  beforeAll(async () => {
    tunnel = await open('postgres-0', 5432);
    await enableTls(tunnel.localPort);
  });

  it('carries 1,000 TLS connections, 50 at a time, and a client that hangs up abruptly harms no other', async () => {
    let aborted = 0;
    await inParallel(async (index) => {
      const socket = new Socket();
      const database = new pg.Client({ ...login(tunnel.localPort), ssl: { rejectUnauthorized: false }, stream: () => socket });
      database.on('error', () => {});
      await database.connect();
      const sent = randomBytes(8_000).toString('hex');
      const { rows } = await database.query('SELECT $1::int AS index, $2::text AS text', [index, sent]);
      expect(rows).toEqual([{ index, text: sent }]);
      if (index % 3 !== 0) return database.end();
      // In the middle of an answer that is long enough to be still on its way.
      database.query("SELECT repeat('x', 1000) FROM generate_series(1, 3000)").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, index % 20));
      socket.resetAndDestroy();
      aborted++;
    });
    expect(aborted).toBe(334);
  });

  it('tells a client that the server has hung up on it, and only that client', async () => {
    const [victim, witness] = [new pg.Client(login(tunnel.localPort)), new pg.Client(login(tunnel.localPort))];
    victim.on('error', () => {});
    await Promise.all([victim.connect(), witness.connect()]);
    const ended = new Promise((resolve) => victim.once('end', resolve));
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid');
    await witness.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    await ended;
    expect((await witness.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await witness.end();
  });

  it('goes on with the pod that takes the place of a deleted one, and lets connections wait for it', async () => {
    let notice: (message: string) => void = () => {};
    const noticed = new Promise<string>((resolve) => (notice = resolve));
    const tunnel = await open('postgres-0', 5432, { onNotice: notice });
    const established = new pg.Client(login(tunnel.localPort));
    established.on('error', () => {});
    await established.connect();
    const ended = new Promise((resolve) => established.once('end', resolve));
    const before = await client.get(pods, 'postgres-0', { namespace });
    await client.delete(pods, 'postgres-0', { namespace });
    expect(await noticed).toContain('new connections wait for it');
    const waiting = Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        await new Promise((resolve) => setTimeout(resolve, index * 200));
        const database = new pg.Client({ ...login(tunnel.localPort), ssl: { rejectUnauthorized: false } });
        await database.connect();
        const { rows } = await database.query('SELECT $1::int AS index', [index]);
        await database.end();
        return rows[0].index;
      }),
    );
    await ended;
    expect(await waiting).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const after = await client.get(pods, 'postgres-0', { namespace });
    expect(after.metadata?.uid).not.toBe(before.metadata?.uid);
  });
});

describe('a tunnel to Redis', () => {
  it('carries 1,000 connections, 50 at a time, and a client that hangs up abruptly harms no other', async () => {
    const tunnel = await open('redis-0', 6379);
    await inParallel(async (index) => {
      const socket = connect({ port: tunnel.localPort, host: '127.0.0.1', noDelay: true });
      const key = `key-${index}`;
      const value = randomBytes(20_000).toString('hex');
      expect(await ask(socket, ['SET', key, value], 5)).toBe('+OK\r\n');
      const answer = `$${value.length}\r\n${value}\r\n`;
      expect(await ask(socket, ['GET', key], answer.length)).toBe(answer);
      if (index % 3 === 0) {
        socket.write(command(['GET', key]));
        socket.resetAndDestroy();
      } else {
        expect(await ask(socket, ['DEL', key], 4)).toBe(':1\r\n');
        socket.end();
      }
    });
  });
});

describe('opening a tunnel', () => {
  it('to a local port that is taken fails with the flag that helps', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const failure = open('redis-0', 6379, { localPort: (taken.address() as AddressInfo).port });
    await expect(failure).rejects.toMatchObject({ code: 'port-in-use', hint: expect.stringContaining('--local-port') });
    taken.close();
  });

  it('listens on this machine alone', async () => {
    const tunnel = await open('redis-0', 6379);
    const elsewhere = connect({ port: tunnel.localPort, host: '::1' });
    const [error] = await once(elsewhere, 'error');
    expect(error).toMatchObject({ code: expect.stringMatching(/^E/) });
  });
});

async function open(pod: string, port: number, options: Partial<TunnelOptions> = {}): Promise<Tunnel> {
  const tunnel = await openTunnel(client, { namespace, pod, port, localPort: 0, waitForPodMs, ...options });
  tunnels.push(tunnel);
  return tunnel;
}

function login(port: number) {
  return { host: '127.0.0.1', port, user: 'skipper', password, database: 'app', connectionTimeoutMillis: waitForPodMs };
}

/** Runs `one` for every connection, so many at a time; the first failure is the test's. */
async function inParallel(one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < connections) await one(next++);
    }),
  );
}

function command(words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** Sends a command and resolves with the answer's `length` bytes. */
function ask(socket: Socket, words: string[], length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const settle = () => socket.off('data', onData).off('error', reject).off('close', onClose);
    const onClose = () => reject(new Error(`the connection ended after ${answer.length} of ${length} bytes`));
    const onData = (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer.length < length) return;
      settle();
      resolve(answer);
    };
    socket.on('data', onData).on('error', reject).on('close', onClose);
    socket.write(command(words));
  });
}

/** Gives the server a certificate of its own by SQL, which works wherever the server runs. */
async function enableTls(port: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  try {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-keyout',
        key,
        '-out',
        certificate,
      ],
      { stdio: 'ignore' },
    );
    const database = new pg.Client(login(port));
    await database.connect();
    for (const [name, file] of [
      ['server.key', key],
      ['server.crt', certificate],
    ] as const) {
      const lines = readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => `('${line}')`)
        .join(',');
      // The server works in its data folder.
      await database.query(`COPY (SELECT * FROM (VALUES ${lines}) AS file (line)) TO PROGRAM 'umask 077 && cat > ${name}'`);
    }
    await database.query('ALTER SYSTEM SET ssl = on');
    await database.query('SELECT pg_reload_conf()');
    await database.end();
  } finally {
    rmSync(folder, { recursive: true });
  }
  await vi.waitFor(
    async () => {
      const database = new pg.Client({ ...login(port), ssl: { rejectUnauthorized: false } });
      await database.connect();
      await database.end();
    },
    { timeout: 100_000, interval: 100 },
  );
}

async function startWorkload(
  name: string,
  image: string,
  port: number,
  mountPath: string,
  { args, readinessProbe, env }: { args: string[]; readinessProbe: Probe; env: Record<string, string> },
): Promise<void> {
  const labels = { app: name };
  await client.create(services, { metadata: { name, namespace }, spec: { clusterIP: 'None', selector: labels, ports: [{ port }] } });
  await client.create(statefulSets, {
    metadata: { name, namespace },
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name,
              image,
              imagePullPolicy: 'IfNotPresent',
              ...(args.length > 0 ? { args } : {}),
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
              ports: [{ containerPort: port }],
              readinessProbe,
              volumeMounts: [{ name: 'data', mountPath }],
            },
          ],
        },
      },
      volumeClaimTemplates: [
        { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ],
    },
  });
  await vi.waitFor(
    async () => {
      const pod = await client.get(pods, `${name}-0`, { namespace });
      expect(pod.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    },
    { timeout: 280_000, interval: 250 },
  );
}
