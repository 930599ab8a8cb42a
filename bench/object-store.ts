import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { compared, type Measurement } from './measurement.ts';
import { objectStoreProgram, residentMemory } from './programs.ts';
import { interleaved, timed } from './sampling.ts';

const mebi = 1 << 20;
const rounds = 3;
const large = 256;
const mediums = 64;
const smalls = 1_000;
const listed = Number(process.env['BENCH_KEYS'] ?? 100_000);
const writers = 16;
const user = 'skipper';
const secret = randomBytes(12).toString('hex');

interface Target {
  name: string;
  process: ChildProcess;
  endpoint: string;
  client: AwsClient;
}

/**
 * The embedded cluster's S3 store beside MinIO (`minio` on PATH, or what MINIO names) and beside the disk itself. Requests are presigned
 * before they are timed, so that the client costs both the same, and little.
 */
export async function benchObjectStore(): Promise<Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kip-bench-'));
  const targets: Target[] = [];
  try {
    targets.push(await startTarget('object store', folder, process.execPath, () => [objectStoreProgram]));
    const minio = minioProgram();
    if (minio)
      targets.push(await startTarget('MinIO', folder, minio, (data, address) => ['server', data, '--address', address, '--quiet']));
    else process.stderr.write('without MinIO: none on PATH, and MINIO names none\n');
    const measurements = [...(await throughput(targets, folder)), ...(await smallObjects(targets)), ...(await listings(targets))];
    for (const { name, process: child } of targets)
      measurements.push({ name: `${name}: resident memory after that`, value: residentMemory(child.pid!), unit: 'MiB' });
    return measurements;
  } finally {
    for (const { process: child } of targets) {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  }
}

async function throughput(targets: readonly Target[], folder: string): Promise<Measurement[]> {
  const block = randomBytes(mebi);
  const file = join(folder, 'floor');
  const candidates: Record<string, () => Promise<unknown>> = {
    'upload 1 disk': () => writeFloor(file, block, large),
    'download 1 disk': () => readFloor(file),
  };
  for (const target of targets) {
    const put = await presigned(target, 'PUT', ['large']);
    const get = await presigned(target, 'GET', ['large']);
    const keys = Array.from({ length: mediums }, (_, at) => `medium-${at}`);
    const puts = await presigned(target, 'PUT', keys);
    const gets = await presigned(target, 'GET', keys);
    candidates[`upload 1 ${target.name}`] = () => call(put[0]!, 'PUT', block, large);
    candidates[`download 1 ${target.name}`] = () => call(get[0]!, 'GET');
    candidates[`upload many ${target.name}`] = () => atOnce(4, puts, (url) => call(url, 'PUT', block, 1));
    candidates[`download many ${target.name}`] = () => atOnce(4, gets, (url) => call(url, 'GET'));
  }
  const ms = await interleaved(rounds, candidates);
  const rate = (name: string, mebibytes: number): number => (mebibytes / ms[name]!) * 1000;
  const floors = {
    upload: { name: 'write and fsync', value: rate('upload 1 disk', large) },
    download: { name: 'read', value: rate('download 1 disk', large) },
  };
  return (['upload', 'download'] as const).flatMap((direction) => {
    const figures = targets.map(({ name }) => ({
      name,
      one: rate(`${direction} 1 ${name}`, large),
      many: rate(`${direction} many ${name}`, mediums),
    }));
    const [own, other] = figures;
    return [
      compared(`object store: ${direction} of ${large} MiB`, own!.one, 'MiB/s', floors[direction]),
      ...(other
        ? [compared(`object store: ${direction} of ${large} MiB`, own!.one, 'MiB/s', { name: 'MinIO', value: other.one }, '≥ 1')]
        : []),
      other
        ? compared(`object store: ${direction} of 1 MiB, 4 at once`, own!.many, 'MiB/s', { name: 'MinIO', value: other.many }, '≥ 1')
        : { name: `object store: ${direction} of 1 MiB, 4 at once`, value: own!.many, unit: 'MiB/s' },
    ];
  });
}

async function smallObjects(targets: readonly Target[]): Promise<Measurement[]> {
  const body = randomBytes(4096);
  const candidates: Record<string, () => Promise<unknown>> = {};
  for (const target of targets) {
    const keys = Array.from({ length: smalls }, (_, at) => `small/${at}`);
    const puts = await presigned(target, 'PUT', keys);
    const gets = await presigned(target, 'GET', keys);
    candidates[`puts ${target.name}`] = () => atOnce(writers, puts, (url) => call(url, 'PUT', body, 1));
    candidates[`gets ${target.name}`] = () => atOnce(writers, gets, (url) => call(url, 'GET'));
  }
  const ms = await interleaved(rounds, candidates);
  return ['puts', 'gets'].map((direction) => {
    const [own, other] = targets.map(({ name }) => (smalls / ms[`${direction} ${name}`]!) * 1000);
    const name = `object store: ${direction} of 4 KiB, ${writers} at once`;
    return other === undefined ? { name, value: own!, unit: '/s' } : compared(name, own!, '/s', { name: 'MinIO', value: other }, '≥ 1');
  });
}

async function listings(targets: readonly Target[]): Promise<Measurement[]> {
  const candidates: Record<string, () => Promise<unknown>> = {};
  const fills: Record<string, number> = {};
  for (const target of targets) {
    const keys = Array.from({ length: listed }, (_, at) => `many/${String(at % 100).padStart(2, '0')}/${at}`);
    const puts = await presigned(target, 'PUT', keys);
    fills[target.name] = await timed(() => atOnce(64, puts, (url) => call(url, 'PUT', Buffer.alloc(0), 1)));
    candidates[`all ${target.name}`] = () => listAll(target, { prefix: 'many/' }, listed);
    candidates[`folders ${target.name}`] = () => listAll(target, { prefix: 'many/', delimiter: '/' }, 100);
  }
  const ms = await interleaved(rounds, candidates);
  const figure = (name: string, of: (target: string) => number, unit: string, aim?: string): Measurement => {
    const [own, other] = targets.map((target) => of(target.name));
    return other === undefined ? { name, value: own!, unit } : compared(name, own!, unit, { name: 'MinIO', value: other }, aim);
  };
  return [
    figure(`object store: puts of nothing, 64 at once, ${listed} keys`, (name) => (listed / fills[name]!) * 1000, '/s', '≥ 1'),
    figure(`object store: list ${listed} keys`, (name) => ms[`all ${name}`]!, 'ms', '≤ 1'),
    figure(`object store: list 100 folders of ${listed} keys`, (name) => ms[`folders ${name}`]!, 'ms', '≤ 1'),
  ];
}

async function listAll(target: Target, query: Record<string, string>, expected: number): Promise<void> {
  let count = 0;
  for (let token: string | undefined; ;) {
    const url = new URL(`${target.endpoint}/bench`);
    for (const [name, value] of Object.entries({ 'list-type': '2', ...query, ...(token ? { 'continuation-token': token } : {}) }))
      url.searchParams.set(name, value);
    const answer = await (await target.client.fetch(url)).text();
    count += Number(/<KeyCount>(\d+)</.exec(answer)?.[1]);
    token = /<NextContinuationToken>(.*?)</.exec(answer)?.[1];
    if (!token) break;
  }
  if (count !== expected) throw new Error(`${target.name} listed ${count} of ${expected}`);
}

async function presigned(target: Target, method: string, keys: readonly string[]): Promise<string[]> {
  return await Promise.all(
    keys.map(async (key) => {
      const url = `${target.endpoint}/bench/${key}?X-Amz-Expires=86400`;
      return (await target.client.sign(url, { method, aws: { signQuery: true } })).url;
    }),
  );
}

async function atOnce(count: number, urls: readonly string[], run: (url: string) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (next < urls.length) await run(urls[next++]!);
    }),
  );
}

const agent = new Agent({ keepAlive: true });

/** @param times how often the block is sent, as one body */
async function call(url: string, method: string, block?: Buffer, times = 0): Promise<void> {
  const outgoing = request(url, { method, agent, headers: block ? { 'content-length': block.length * times } : {} });
  const answered = once(outgoing, 'response');
  for (let sent = 0; block && sent < times; sent++) if (!outgoing.write(block)) await Promise.race([once(outgoing, 'drain'), answered]);
  outgoing.end();
  const [response] = (await answered) as [import('node:http').IncomingMessage];
  response.resume();
  await once(response, 'end');
  if (response.statusCode !== 200) throw new Error(`${method} was answered ${response.statusCode}`);
}

async function writeFloor(path: string, block: Buffer, times: number): Promise<void> {
  const file = await open(path, 'w');
  for (let written = 0; written < times; written++) await file.write(block);
  await file.sync();
  await file.close();
}

async function readFloor(path: string): Promise<void> {
  const file = await open(path, 'r');
  const block = Buffer.alloc(mebi);
  while ((await file.read(block)).bytesRead > 0);
  await file.close();
}

async function startTarget(
  name: string,
  folder: string,
  program: string,
  argv: (data: string, address: string) => string[],
): Promise<Target> {
  const address = `127.0.0.1:${await freePort()}`;
  const data = join(folder, name.replaceAll(' ', '-'));
  await mkdir(data);
  const child = spawn(program, argv(data, address), {
    env: {
      ...process.env,
      MINIO_ROOT_USER: user,
      MINIO_ROOT_PASSWORD: secret,
      MINIO_VOLUMES: data,
      MINIO_ADDRESS: address,
      MINIO_BROWSER: 'off',
    },
    stdio: 'ignore',
  });
  const endpoint = `http://${address}`;
  const client = new AwsClient({ accessKeyId: user, secretAccessKey: secret, service: 's3', region: 'us-east-1', retries: 0 });
  for (const until = Date.now() + 30_000; ;) {
    const answer = await client.fetch(`${endpoint}/bench`, { method: 'PUT' }).catch(() => undefined);
    if (answer?.status === 200) return { name, process: child, endpoint, client };
    if (Date.now() > until || child.exitCode !== null) throw new Error(`${name} did not start`);
    await delay(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

function minioProgram(): string | undefined {
  if (process.env['MINIO']) return process.env['MINIO'];
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'minio'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
