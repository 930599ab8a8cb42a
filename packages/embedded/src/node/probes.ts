import { setTimeout as delay } from 'node:timers/promises';
import type { Container, Probe } from 'kubernetes-types/core/v1.d.ts';
import { timerDelay } from '../timer-delay.ts';
import { probeOnce, type ProbeTarget } from './probe.ts';

export interface ProbeReactions {
  started(): void;
  ready(isReady: boolean): void;
  /** A probe failed `failureThreshold` times; the container is to be restarted. */
  unhealthy(kind: 'Startup' | 'Liveness', probe: Probe): void;
  /** A failure worth telling. */
  failed(kind: 'Startup' | 'Liveness' | 'Readiness', message: string): void;
}

/** What waits for a first success is asked this often at first: nobody wants to wait a whole period for what is ready already. */
const eagerIntervalMs = 50;
const slowestEagerIntervalMs = 1_000;

/** Why a container's probes cannot be carried out here; `undefined` when they can. */
export function unsupportedProbe({ startupProbe, readinessProbe, livenessProbe }: Container): string | undefined {
  const probes = { startupProbe, readinessProbe, livenessProbe };
  const name = Object.entries(probes).find(([, probe]) => probe && !probe.exec && !probe.httpGet && !probe.tcpSocket)?.[0];
  return name && `the ${name} is of a kind that is not supported here; exec, httpGet and tcpSocket are`;
}

/** Runs a container's probes until `signal` aborts. */
export function runProbes(target: ProbeTarget, reactions: ProbeReactions, signal: AbortSignal): void {
  const { startupProbe, readinessProbe, livenessProbe } = target.container;
  const sequence = async (): Promise<void> => {
    if (startupProbe && !(await hasStarted(startupProbe))) return;
    reactions.started();
    if (!readinessProbe) reactions.ready(true);
    await Promise.all([readinessProbe && watchReadiness(readinessProbe), livenessProbe && watchLiveness(livenessProbe)]);
  };
  const pause = (ms: number): Promise<void> => delay(timerDelay(ms), undefined, { signal });
  const ask = async (probe: Probe): Promise<{ success: boolean; message: string }> => {
    const result = await probeOnce(probe, target, signal);
    signal.throwIfAborted();
    return result;
  };

  /** One failure is counted a period, however often is asked within it. @returns false when it failed too often. */
  async function hasStarted(probe: Probe): Promise<boolean> {
    await pause(initialDelayMs(probe));
    let interval = eagerIntervalMs;
    for (let failures = 0; ;) {
      const until = Date.now() + periodMs(probe);
      let result;
      do {
        result = await ask(probe);
        if (result.success) return true;
        await pause(Math.max(0, Math.min(interval, until - Date.now())));
        interval = Math.min(interval * 1.2, slowestEagerIntervalMs);
      } while (Date.now() < until);
      reactions.failed('Startup', result.message);
      if (++failures >= failureThreshold(probe)) {
        reactions.unhealthy('Startup', probe);
        return false;
      }
    }
  }

  async function watchReadiness(probe: Probe): Promise<void> {
    await pause(initialDelayMs(probe));
    let isReady = false;
    let hasBeen = false;
    let interval = eagerIntervalMs;
    let toldAt = Date.now();
    for (let successes = 0, failures = 0; ;) {
      const { success, message } = await ask(probe);
      successes = success ? successes + 1 : 0;
      failures = success ? 0 : failures + 1;
      // A container that only just began is not told of until a period has passed.
      if (!success && (hasBeen || Date.now() - toldAt >= periodMs(probe))) {
        toldAt = Date.now();
        reactions.failed('Readiness', message);
      }
      if (isReady ? failures >= failureThreshold(probe) : successes >= (probe.successThreshold ?? 1)) {
        isReady = !isReady;
        hasBeen = true;
        reactions.ready(isReady);
      }
      await pause(hasBeen || successes > 0 ? periodMs(probe) : Math.min(periodMs(probe), interval));
      interval = Math.min(interval * 1.2, slowestEagerIntervalMs);
    }
  }

  async function watchLiveness(probe: Probe): Promise<void> {
    await pause(initialDelayMs(probe));
    for (let failures = 0; ;) {
      const { success, message } = await ask(probe);
      failures = success ? 0 : failures + 1;
      if (!success) reactions.failed('Liveness', message);
      if (failures >= failureThreshold(probe)) return reactions.unhealthy('Liveness', probe);
      await pause(periodMs(probe));
    }
  }

  void sequence().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

const periodMs = (probe: Probe): number => (probe.periodSeconds ?? 10) * 1000;
const initialDelayMs = (probe: Probe): number => (probe.initialDelaySeconds ?? 0) * 1000;
const failureThreshold = (probe: Probe): number => probe.failureThreshold ?? 3;
