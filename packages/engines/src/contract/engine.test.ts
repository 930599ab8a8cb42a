import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseQuantity, compareQuantities, type KipError } from '@skipper/api';
import { createImageResolver, engines } from '../catalog.ts';
import { drivers } from './drivers.ts';
import { ownPrograms } from './own-programs.ts';
import { enginesDir, ProcessPod, usualStartMs } from './process-pod.ts';

const absences = new Map<string, string>();
for (const { type } of engines) {
  const { mayBeAbsent } = drivers[type] ?? {};
  if (mayBeAbsent && !(await mayBeAbsent.isHere(enginesDir))) absences.set(type, mayBeAbsent.because);
}

describe.each(engines.map((engine) => [engine.type, engine] as const))('the engine %s', (type, engine) => {
  const driver = drivers[type];
  if (!driver) throw new Error(`contract/drivers.ts has no driver for ${type}`);
  const { startMs = usualStartMs, killsAfterMs = [1, 60, 250, 500, 900] } = driver;
  const slowly = { timeout: startMs + 60_000 };
  const container = engine.container({ version: engine.defaultVersion, credentialsSecret: 'db-credentials' });
  const connection = {
    host: 'db.default.svc.cluster.local',
    port: engine.ports[0].port,
    username: 'skipper',
    password: 'p@ss/w:rd?#%',
    database: engine.database,
  };

  describe('definition', () => {
    it('accepts its default version and recognises its own images', () => {
      expect(engine.refuses(engine.defaultVersion)).toBeUndefined();
      expect(engine.versionOf(engine.image(engine.defaultVersion))).toBe(engine.defaultVersion);
      expect(createImageResolver(ownPrograms)(engine.image(engine.defaultVersion))).toBeDefined();
    });
    it.each(['', 'latest', '0', '99', '18; rm -rf /', '../18', '18\n', '-1', '18@sha256:0'])('refuses the version %j', (version) =>
      expect(engine.refuses(version)).toBeTruthy(),
    );
    it('does not take images of others for its own', () =>
      expect(engine.versionOf(`docker.io/somebody/${type}:${engine.defaultVersion}`)).toBeUndefined());
    it('allows the version that is there already', () =>
      expect(engine.refusesChange(engine.defaultVersion, engine.defaultVersion)).toBeUndefined());
    it('escapes every part of its URI', () => {
      const uri = new URL(engine.uri(connection));
      expect(decodeURIComponent(uri.username)).toBe(connection.username);
      expect(decodeURIComponent(uri.password)).toBe(connection.password);
      expect(uri.hostname).toBe(connection.host);
      expect(Number(uri.port)).toBe(connection.port);
      if (engine.database) expect(uri.pathname).toBe(`/${engine.database}`);
    });
    it('names quantities that make sense', () => {
      expect(parseQuantity(engine.defaultStorage)).toBeGreaterThan(0n);
      expect(compareQuantities(engine.defaultResources.requests.memory, engine.defaultResources.limits.memory)).toBeLessThanOrEqual(0);
    });
    it('meets the restricted Pod Security Standard in what it may set', () => {
      expect(engine.podSecurityContext.runAsUser).toBeGreaterThan(0);
      expect(engine.podSecurityContext).not.toHaveProperty('sysctls');
      expect(Object.keys(container)).not.toContain('securityContext');
    });
    it('takes its password from the Secret and names it in no argument', () => {
      const fromSecret = (container.env ?? []).filter((variable) => variable.valueFrom?.secretKeyRef?.key === 'password');
      expect(fromSecret).toHaveLength(1);
      expect(fromSecret[0]?.valueFrom?.secretKeyRef?.name).toBe('db-credentials');
      expect(JSON.stringify([container.command, container.args])).not.toContain('"password"');
    });
    it('has a startup, a readiness and a liveness probe, and the liveness probe is the patient one', () => {
      const patience = (probe = container.livenessProbe) => (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3);
      expect(patience(container.startupProbe)).toBeGreaterThanOrEqual(300);
      expect(patience()).toBeGreaterThan(patience(container.readinessProbe));
    });
  });

  const because = absences.get(type);
  describe.runIf(because)(`which is not on this machine (${because})`, () => {
    it('says that it is missing and how to have it, and leaves nothing behind', async () => {
      const empty = await mkdtemp(join(tmpdir(), 'skipper-no-engine-'));
      vi.stubEnv('KIP_DOWNLOADS', empty);
      try {
        const preparing = engine
          .process(engine.defaultVersion, ownPrograms)
          .prepare({ enginesDir: join(empty, 'engines'), progress: () => undefined, signal: AbortSignal.timeout(20_000) });
        const error = await preparing.then(
          () => expect.unreachable('it was found'),
          (reason: KipError) => reason,
        );
        expect(error.code).toBe('engine-unavailable');
        expect(error.message).toContain(engine.title);
        expect(error.hint).toMatch(/Install .+ KIP_DOWNLOADS/);
        expect(await readdir(join(empty, 'engines'))).toEqual([]);
      } finally {
        vi.unstubAllEnvs();
        await rm(empty, { recursive: true });
      }
    });
  });

  describe.runIf(!because)('as a process', slowly, () => {
    let pod: ProcessPod;
    beforeAll(async () => {
      pod = await ProcessPod.create(engine);
      await pod.start(startMs);
    });
    afterAll(() => pod?.destroy());

    it('serves a real driver by its URI', async () => {
      await driver.write(pod.uri, 'kept value');
      expect(await driver.read(pod.uri)).toBe('kept value');
    });
    it('refuses clients without a password and with a wrong one', async () => {
      await expect(driver.connectWithoutPassword(pod.ip, engine.ports[0].port)).rejects.toThrow();
      await expect(driver.read(pod.uriWith('wrong'))).rejects.toThrow();
    });
    it('listens on the address of its pod and on no other', async () => {
      await expect(driver.read(pod.uri.replace(pod.ip, '127.0.0.1'))).rejects.toThrow();
    });
    it('shows its password in no argument list and no log', () => {
      expect(pod.argumentLists.join('\n')).not.toContain(pod.password);
      expect(pod.output).not.toContain(pod.password);
    });
    it('is alive and ready by its probes', async () => {
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) expect(await pod.probe(probe)).toBe(0);
    });
    it('keeps its data through a kill', async () => {
      await pod.stop('SIGKILL');
      expect(await pod.probe('livenessProbe')).not.toBe(0);
      await pod.start(startMs);
      expect(await driver.read(pod.uri)).toBe('kept value');
    });
    it('stops cleanly well within its grace period while a client is connected, and keeps its data', async () => {
      const reading = driver.read(pod.uri);
      await reading;
      const { tookMs, exitCode } = await pod.stop();
      expect(exitCode).toBe(0);
      expect(tookMs).toBeLessThan(engine.terminationGracePeriodSeconds * 500);
      await pod.start(startMs);
      expect(await driver.read(pod.uri)).toBe('kept value');
    });
  });

  it.runIf(!because)('starts in the end, whenever a first start is killed', slowly, async () => {
    const pod = await ProcessPod.create(engine);
    try {
      for (const afterMs of killsAfterMs) await pod.startAndKill(afterMs);
      await pod.start(startMs);
      await driver.write(pod.uri, 'after all');
      expect(await driver.read(pod.uri)).toBe('after all');
    } finally {
      await pod.destroy();
    }
  });
});
