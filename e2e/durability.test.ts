import { execFile, execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { namespaces, statefulServices, type KubeObject, type ResourceType, type ServiceType, type StatefulService } from '@skipper/api';
import { createClient, KubeError, loadKubeconfig, resolveCluster, type KubeClient } from '@skipper/kube';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { afterEach, describe, expect, it } from 'vitest';

/** How often the cluster is killed. */
const rounds = Number(process.env['DURABILITY_ROUNDS'] ?? 3);
const writesARound = 200;
const writers = 10;
/** Longest that a process may outlive the cluster that ran it. */
const orphansEndWithinMs = 15_000;

/** Longest that a service may take to be Ready again: its leader's lease has to end, and the engine to recover. */
const readyWithinMs = 180_000;

const kip = fileURLToPath(new URL('../kip', import.meta.url));
const configMaps: ResourceType<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const namespace = 'durability';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A cluster of `kip up` in a folder of its own. */
class Cluster {
  readonly home: string;
  client!: KubeClient;
  constructor(home: string) {
    this.home = home;
  }

  async run(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(kip, args, {
      env: { ...process.env, KUBECONFIG: '', KIP_HOME: this.home },
      encoding: 'utf8',
    });
    return stdout;
  }

  async up(): Promise<void> {
    await this.run('up');
    this.client?.close();
    this.client = createClient(resolveCluster(await loadKubeconfig({ files: [join(this.home, 'embedded', 'kubeconfig')] })));
  }

  get pid(): number {
    return (JSON.parse(readFileSync(join(this.home, 'embedded', 'running.json'), 'utf8')) as { pid: number }).pid;
  }

  /** Kills the cluster as a crash would. @returns the processes that it ran. */
  kill(): Process[] {
    const { pid } = this;
    // Held first, so that it starts nothing between being looked at and being killed.
    process.kill(pid, 'SIGSTOP');
    const family = descendantsOf(pid);
    process.kill(pid, 'SIGKILL');
    return family;
  }

  async down(): Promise<void> {
    this.client?.close();
    await this.run('down');
  }
}

interface Process {
  pid: number;
  parent: number;
  /** With the pid it names one process for good. */
  startTime: string;
  command: string;
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        if (fields[0] === 'Z') return [];
        return [
          {
            pid: Number(name),
            parent: Number(fields[1]),
            startTime: fields[19]!,
            command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' '),
          },
        ];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}

function descendantsOf(pid: number): Process[] {
  const all = processes();
  const found: Process[] = [];
  for (let parents = [pid]; parents.length > 0;) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let failure: unknown;
  for (;;) {
    try {
      const result = await attempt();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function haveEnded(family: Process[]): Promise<void> {
  await until(
    `these have ended: ${family.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`,
    () => {
      const left = processes();
      return !family.some(({ pid, startTime }) => left.some((other) => other.pid === pid && other.startTime === startTime));
    },
    orphansEndWithinMs,
  );
}

/** The values that a key may have: one, or two while a write is under way. `undefined`: there is none. */
class Expectations {
  readonly #possible = new Map<string, (string | undefined)[]>();

  names(): string[] {
    return [...this.#possible.keys()];
  }

  begin(name: string, value: string | undefined): void {
    this.#possible.set(name, [...(this.#possible.get(name) ?? [undefined]), value]);
  }

  acknowledge(name: string, value: string | undefined): void {
    this.#possible.set(name, [value]);
  }

  possible(name: string): readonly (string | undefined)[] {
    return this.#possible.get(name) ?? [undefined];
  }
}

/** Creates, changes and deletes objects at random until `isOver`, each writer its own ones. @returns how many writes were acknowledged. */
async function writeAtRandom(
  client: KubeClient,
  expected: Expectations,
  isOver: (acknowledged: number) => boolean,
  onWrite: (acknowledged: number) => void,
): Promise<number> {
  let acknowledged = 0;
  const write = async (writer: number): Promise<void> => {
    while (!isOver(acknowledged)) {
      const name = `object-${writer}-${randomInt(12)}`;
      const current = expected.possible(name)[0];
      const value = current !== undefined && randomInt(5) === 0 ? undefined : randomBytes(randomInt(1, 2_000)).toString('hex');
      expected.begin(name, value);
      try {
        if (value === undefined) await client.delete(configMaps, name, { namespace });
        else if (current === undefined) await client.create(configMaps, { metadata: { namespace, name }, data: { value } });
        else await client.patch(configMaps, name, { data: { value } }, { namespace });
      } catch (error) {
        if (error instanceof KubeError) throw error;
        return; // The cluster is dead; nobody knows whether it was written.
      }
      expected.acknowledge(name, value);
      onWrite(++acknowledged);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return acknowledged;
}

const readyOf = (service: StatefulService | undefined): boolean =>
  service?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'kip-durability-'));
  // Root's pods run as another user, who has to get through.
  chmodSync(home, 0o711);
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

describe.skipIf(process.platform !== 'linux')('the embedded cluster (its processes are watched through /proc)', () => {
  it(
    `keeps every acknowledged write through kill -9, ${rounds} times, and brings every service back`,
    async () => {
      const cluster = new Cluster(temporaryHome());
      const expected = new Expectations();
      const services = new Set<string>();
      await cluster.up();
      cleanups.push(() => cluster.down());
      await cluster.client.create(namespaces, { metadata: { name: namespace } });
      for (let round = 0; round < rounds; round++) {
        const killAfter = randomInt(1, writesARound);
        let family: Process[] | undefined;
        const create = async (type: ServiceType): Promise<void> => {
          const name = `${type}-${round}`;
          try {
            await cluster.client.create(statefulServices, { metadata: { namespace, name }, spec: { type, storage: '64Mi' } });
            services.add(name);
          } catch (error) {
            if (error instanceof KubeError) throw error;
          }
        };
        const creations = Promise.all([create('postgres'), create('redis')]);
        const acknowledged = await writeAtRandom(
          cluster.client,
          expected,
          (count) => family !== undefined || count >= writesARound,
          (count) => {
            if (count === killAfter) family = cluster.kill();
          },
        );
        await creations;
        expect(acknowledged).toBeGreaterThanOrEqual(killAfter);
        await cluster.up();
        const found = new Map(
          (await cluster.client.list(configMaps, { namespace })).items.map(({ metadata, data }) => [metadata!.name!, data?.['value']]),
        );
        for (const name of expected.names()) {
          expect(expected.possible(name), `${name} in round ${round}`).toContain(found.get(name));
          expected.acknowledge(name, found.get(name));
        }
        await haveEnded(family!);
        // A creation that was not acknowledged may have happened all the same.
        for (const { metadata } of (await cluster.client.list(statefulServices, { namespace })).items) services.add(metadata!.name!);
        for (const name of services) {
          await until(
            `${name} is ready in round ${round}`,
            async () => {
              const service = await cluster.client.find(statefulServices, name, { namespace });
              if (!readyOf(service)) throw new Error(JSON.stringify(service?.status?.conditions));
              return true;
            },
            readyWithinMs,
          );
        }
      }
      const family = descendantsOf(cluster.pid);
      expect(family.length).toBeGreaterThan(0);
      cleanups.pop();
      await cluster.down();
      await haveEnded(family);
    },
    60_000 + rounds * 240_000,
  );

  const whyNot = process.getuid?.() === 0 ? '' : ' (skipped: only root may mount a small disk)';
  it.skipIf(whyNot !== '')(
    `says so when the disk is full, makes nothing by half, and goes on when there is space again${whyNot}`,
    async () => {
      const home = temporaryHome();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=711', 'tmpfs', home]);
      cleanups.push(() => void execFileSync('umount', [home]));
      const cluster = new Cluster(home);
      await cluster.up();
      cleanups.push(() => cluster.down());
      await cluster.client.create(namespaces, { metadata: { name: namespace } });
      const create = (name: string) =>
        cluster.client.create(configMaps, { metadata: { namespace, name }, data: { value: randomBytes(30_000).toString('hex') } });
      await create('before');

      const filler = join(home, 'filler');
      fill(filler);
      const acknowledged = new Set(['before']);
      const failures: unknown[] = [];
      for (let index = 0; index < 60; index++) {
        const name = `during-${index}`;
        await create(name).then(
          () => acknowledged.add(name),
          (error: unknown) => failures.push(error),
        );
      }
      expect(failures.length).toBeGreaterThan(0);
      for (const failure of failures) expect(failure).toMatchObject({ code: 507, message: expect.stringContaining('disk') });
      const names = async (type: ResourceType<KubeObject>) =>
        new Set(
          (await cluster.client.list(type, { namespace })).items
            .map(({ metadata }) => metadata!.name!)
            .filter((name) => !name.startsWith('kube-')),
        );
      expect(await names(configMaps)).toEqual(acknowledged);
      await cluster.run('service', 'add', 'redis', '--name', 'refused', '--project', namespace, '--no-wait').then(
        () => expect.unreachable('a service was added to a full disk'),
        (error: { code: number; stderr: string }) => {
          expect(error.code).toBe(1);
          expect(error.stderr).toMatch(/disk/i);
        },
      );
      expect(await names(statefulServices)).toEqual(new Set());

      rmSync(filler, { recursive: true });
      await until('a write succeeds again', async () => (await create('after')) !== undefined);
      acknowledged.add('after');
      await haveEnded(cluster.kill());
      await cluster.up();
      expect(await names(configMaps)).toEqual(acknowledged);
    },
    300_000,
  );
});

/** Takes every byte that the disk of `file` has left. */
function fill(file: string): void {
  mkdirSync(file, { recursive: true });
  for (const size of [1 << 20, 4_096, 1]) {
    for (let index = 0; ; index++) {
      try {
        writeFileSync(join(file, `${size}-${index}`), Buffer.alloc(size));
      } catch {
        break;
      }
    }
  }
}
