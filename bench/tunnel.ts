import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { namespaces, pods } from '@skipper/api';
import { createClient, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import { compared, type Measurement } from './measurement.ts';

const echoPort = 7000;
const sourcePort = 7001;
const sourceBytes = 256 * 1024 * 1024;
const rounds = 5;
const connectionsARound = 100;
const roundTripsARound = 400;

/** Echoes on one port; sends {@link sourceBytes} to whoever connects to the other. */
const peerProgram = `
const { createServer } = require('node:net');
createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(${echoPort});
const block = Buffer.alloc(65536, 1);
createServer({ noDelay: true }, (socket) => {
  let left = ${sourceBytes} / block.length;
  const send = () => {
    while (left-- > 0) if (!socket.write(block)) return socket.once('drain', send);
    socket.end();
  };
  socket.on('error', () => {});
  send();
}).listen(${sourcePort});
console.log('listening');
`;

/** Where the peer answers, one way or the other. */
interface Way {
  readonly name: string;
  readonly host: string;
  readonly echo: number;
  readonly source: number;
  readonly latencies: number[];
  readonly roundTrips: number[];
  readonly throughputs: number[];
}

/**
 * Throughput, latency of a new connection up to its first answer, and round trip: through our tunnel, through `kubectl
 * port-forward` (KUBECTL names another program) and directly, in turns. Runs a pod on the cluster of KUBECONFIG; where the pod's
 * address is out of reach, the same peer on this machine stands in for the direct connection.
 */
export async function benchTunnel(): Promise<Measurement[]> {
  const client = createClient(resolveCluster(await loadKubeconfig()));
  const namespace = `bench-${randomBytes(4).toString('hex')}`;
  const children: ChildProcess[] = [];
  try {
    const address = await startPeer(client, namespace);
    const tunnel = await startTunnel(children, namespace);
    const kubectl = await startKubectl(children, namespace);
    const direct = (await reachable(address)) ? way('direct connection', [echoPort, sourcePort], address) : await startLocalPeer(children);
    const ways = [tunnel, kubectl, direct];
    for (const each of ways) await measureLatency(each, 20, []);
    for (let round = 0; round < rounds; round++) {
      for (const each of ways) {
        await measureLatency(each, connectionsARound, each.latencies);
        await measureRoundTrips(each, roundTripsARound);
        each.throughputs.push(await measureThroughput(each));
      }
    }
    return [kubectl, direct].flatMap((other) => comparisons(tunnel, other, other === kubectl));
  } finally {
    for (const child of children) child.kill();
    await client.delete(namespaces, namespace).catch(() => {});
    client.close();
  }
}

function comparisons(tunnel: Way, other: Way, isAim: boolean): Measurement[] {
  const compare = (what: string, unit: string, figure: (way: Way) => number, aim: string): Measurement =>
    compared(`tunnel: ${what}`, figure(tunnel), unit, { name: other.name, value: figure(other) }, isAim ? aim : undefined);
  return [
    compare('throughput', 'MB/s', (way) => quantile(way.throughputs, 0.5), '≥ 1'),
    compare('new connection, median', 'ms', (way) => quantile(way.latencies, 0.5), '≤ 1'),
    compare('new connection, 95th percentile', 'ms', (way) => quantile(way.latencies, 0.95), '≤ 1'),
    compare('round trip, median', 'ms', (way) => quantile(way.roundTrips, 0.5), '≤ 1'),
  ];
}

function way(name: string, [echo, source]: number[], host = '127.0.0.1'): Way {
  return { name, host, echo: echo!, source: source!, latencies: [], roundTrips: [], throughputs: [] };
}

/** @returns the pod's address. */
async function startPeer(client: KubeClient, namespace: string): Promise<string> {
  await client.create(namespaces, { metadata: { name: namespace } });
  const container = {
    name: 'peer',
    image: 'docker.io/library/node:22-alpine',
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '-e', peerProgram],
    readinessProbe: { tcpSocket: { port: sourcePort }, periodSeconds: 1 },
  };
  const pod = {
    metadata: { name: 'peer', namespace },
    spec: { terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, containers: [container] },
  };
  for (const deadline = Date.now() + 60_000; ; await pause(200)) {
    // A new namespace has no service account for its first moments.
    const peer = (await client.find(pods, 'peer', { namespace })) ?? (await client.create(pods, pod).catch(() => undefined));
    if (peer?.status?.podIP && peer.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
      return peer.status.podIP;
    if (Date.now() > deadline) throw new Error(`the peer pod in namespace ${namespace} does not become ready`);
  }
}

async function startTunnel(children: ChildProcess[], namespace: string): Promise<Way> {
  const root = process.cwd();
  const child = spawn(
    process.execPath,
    [join(root, 'scripts/run.mjs'), join(root, 'bench/tunnel-process.ts'), namespace, 'peer', String(echoPort), String(sourcePort)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  return way('tunnel', JSON.parse(String(line)));
}

async function startKubectl(children: ChildProcess[], namespace: string): Promise<Way> {
  const child = spawn(
    process.env['KUBECTL'] ?? 'kubectl',
    ['--namespace', namespace, 'port-forward', '--address', '127.0.0.1', 'pod/peer', `:${echoPort}`, `:${sourcePort}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  let output = '';
  while (output.split('\n').length < 3) output += String((await once(child.stdout, 'data'))[0]);
  const localPort = (port: number) => Number(new RegExp(`:(\\d+) -> ${port}`).exec(output)?.[1]);
  return way('kubectl port-forward', [localPort(echoPort), localPort(sourcePort)]);
}

async function startLocalPeer(children: ChildProcess[]): Promise<Way> {
  const child = spawn(process.execPath, ['-e', peerProgram], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return way('direct connection (loopback)', [echoPort, sourcePort]);
}

async function reachable(host: string): Promise<boolean> {
  const socket = connect({ host, port: echoPort, timeout: 1_000 });
  const connected = await new Promise<boolean>((resolve) => {
    socket
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false))
      .once('timeout', () => resolve(false));
  });
  socket.destroy();
  return connected;
}

function open(host: string, port: number): Socket {
  return connect({ host, port, noDelay: true });
}

async function measureLatency({ host, echo }: Way, count: number, into: number[]): Promise<void> {
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    const socket = open(host, echo);
    socket.write('x');
    await once(socket, 'data');
    into.push(performance.now() - start);
    socket.destroy();
  }
}

async function measureRoundTrips({ host, echo, roundTrips }: Way, count: number): Promise<void> {
  const socket = open(host, echo);
  await once(socket, 'connect');
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    socket.write('x');
    await once(socket, 'data');
    roundTrips.push(performance.now() - start);
  }
  socket.destroy();
}

/** From the first byte on, in MB/s. Reads into one buffer, so that the measuring end costs little. */
function measureThroughput({ host, source }: Way): Promise<number> {
  return new Promise((resolve, reject) => {
    let start = 0;
    let received = 0;
    const socket = connect({
      host,
      port: source,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(256 * 1024),
        callback: (length) => {
          start ||= performance.now();
          received += length;
          if (received < sourceBytes) return true;
          resolve(received / (performance.now() - start) / 1000);
          socket.destroy();
          return false;
        },
      },
    });
    socket.once('error', reject).once('close', () => reject(new Error(`the source ended after ${received} of ${sourceBytes} bytes`)));
  });
}

function quantile(samples: number[], fraction: number): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length * fraction)]!;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
