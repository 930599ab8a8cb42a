import { setTimeout as delay } from 'node:timers/promises';
import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import { probeOnce, type ProbeTarget } from './probe.ts';

export interface ProbeReactions {
  started(): void;
  ready(isReady: boolean): void;
  /** A probe failed `failureThreshold` times; the container is to be restarted. */
  unhealthy(kind: 'Startup' | 'Liveness', message: string): void;
  /** Each failure that counts. */
  failed(kind: 'Startup' | 'Liveness' | 'Readiness', message: string): void;
}

/** What waits for a first success is asked this often: nobody wants to wait a whole period for what is ready already. */
const eagerIntervalMs = 50;

/** Runs a container's probes until `signal` aborts. */
export function runProbes(target: ProbeTarget, reactions: ProbeReactions, signal: AbortSignal): void {
  const { startupProbe, readinessProbe, livenessProbe } = target.container;
  const ignoreAbort = (error: unknown): void => {
    if (!signal.aborted) throw error;
  };
  const sequence = async (): Promise<void> => {
    if (startupProbe && !(await succeeds(startupProbe, 'Startup'))) return;
    reactions.started();
    if (!readinessProbe) reactions.ready(true);
    await Promise.all([readinessProbe && watchReadiness(readinessProbe), livenessProbe && watchLiveness(livenessProbe)]);
  };

  /** @returns false when it failed too often. */
  async function succeeds(probe: Probe, kind: 'Startup'): Promise<boolean> {
    await delay((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal });
    for (let failures = 0; ; ) {
      const until = Date.now() + periodMs(probe);
      let message = '';
      do {
        const result = await probeOnce(probe, target, signal);
        if (result.success) return true;
        message = result.message;
        await delay(eagerIntervalMs, undefined, { signal });
      } while (Date.now() < until);
      reactions.failed(kind, message);
      if (++failures >= (probe.failureThreshold ?? 3)) {
        reactions.unhealthy(kind, message);
        return false;
      }
    }
  }

  async function watchReadiness(probe: Probe): Promise<void> {
    await delay((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal });
    let isReady = false;
    let hasBeen = false;
    for (let successes = 0, failures = 0; ; ) {
      const result = await probeOnce(probe, target, signal);
      signal.throwIfAborted();
      successes = result.success ? successes + 1 : 0;
      failures = result.success ? 0 : failures + 1;
      if (!result.success && hasBeen) reactions.failed('Readiness', result.message);
      if (isReady ? failures >= (probe.failureThreshold ?? 3) : successes >= (probe.successThreshold ?? 1)) {
        isReady = !isReady;
        hasBeen = true;
        reactions.ready(isReady);
      }
      await delay(isReady || hasBeen ? periodMs(probe) : Math.min(periodMs(probe), eagerIntervalMs), undefined, { signal });
    }
  }

  async function watchLiveness(probe: Probe): Promise<void> {
    await delay((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal });
    for (let failures = 0; ; ) {
      const result = await probeOnce(probe, target, signal);
      signal.throwIfAborted();
      failures = result.success ? 0 : failures + 1;
      if (!result.success) reactions.failed('Liveness', result.message);
      if (failures >= (probe.failureThreshold ?? 3)) return reactions.unhealthy('Liveness', result.message);
      await delay(periodMs(probe), undefined, { signal });
    }
  }

  void sequence().catch(ignoreAbort);
}

function periodMs(probe: Probe): number {
  return (probe.periodSeconds ?? 10) * 1000;
}
