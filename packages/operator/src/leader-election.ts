import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { MicroTime } from 'kubernetes-types/meta/v1.d.ts';
import { leases } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';

/** The timing of Kubernetes' own components, with a renewal period that leaves two more attempts. */
const leaseSeconds = 15;
const renewEveryMs = 5_000;
const renewDeadlineMs = 10_000;

export interface ElectionOptions {
  client: KubeClient;
  namespace: string;
  name: string;
  identity: string;
  log(message: string): void;
  onElected(): Promise<void>;
  /** Called when leadership is lost or given up; another leader may act as soon as the lease has run out. */
  onDeposed(): Promise<void>;
}

/** Takes part in an election by a Lease until closed. https://kubernetes.io/docs/concepts/architecture/leases/ */
export function takePartInElection(options: ElectionOptions): { close(): Promise<void> } {
  const { client, namespace, name, identity, log } = options;
  const stop = new AbortController();
  let leading = false;
  let renewedAt = 0;
  /** Who leads instead, as was said last. */
  let leader: string | undefined;
  /** What another holder's lease looked like, and when it was seen so first: only this machine's clock is compared. */
  let seen = { version: '', at: 0 };

  async function tryToHold(): Promise<void> {
    const requestedAt = performance.now();
    // A server that is silent must not keep the deadline from being noticed.
    const attempt = new AbortController();
    const { signal } = attempt;
    const timer = setTimeout(
      () => attempt.abort(new Error('the server does not answer')),
      leading ? Math.max(0, renewedAt + renewDeadlineMs - requestedAt) : renewDeadlineMs,
    );
    // By hand: what AbortSignal.any makes stays with its signals, and one of them lives as long as the process.
    const abort = () => attempt.abort(stop.signal.reason);
    stop.signal.addEventListener('abort', abort);
    try {
      const current = await client.find(leases, name, { namespace, signal });
      if (current && !mayTake(current)) return await standBy(current.spec?.holderIdentity);
      if (current) await client.replace(leases, leaseOf(current), { signal });
      else await client.create(leases, leaseOf(undefined), { signal });
    } finally {
      clearTimeout(timer);
      stop.signal.removeEventListener('abort', abort);
    }
    renewedAt = requestedAt;
    if (leading) return;
    leading = true;
    leader = undefined;
    log(`elected: ${identity} looks after the services`);
    await options.onElected();
  }

  function mayTake(lease: Lease): boolean {
    const holder = lease.spec?.holderIdentity;
    if (!holder || holder === identity) return true;
    const version = lease.metadata?.resourceVersion ?? '';
    if (seen.version !== version) seen = { version, at: performance.now() };
    return performance.now() - seen.at > (lease.spec?.leaseDurationSeconds ?? leaseSeconds) * 1000;
  }

  function leaseOf(current: Lease | undefined): Lease {
    const now = microTime();
    const same = current?.spec?.holderIdentity === identity;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...current?.metadata, name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: leaseSeconds,
        acquireTime: same ? (current.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (current?.spec?.leaseTransitions ?? 0) + (current && !same ? 1 : 0),
      },
    };
  }

  async function standBy(holder: string | undefined): Promise<void> {
    await depose(`${holder} holds the lease`);
    if (leader !== holder) log(`standing by: ${holder} looks after the services`);
    leader = holder;
  }

  async function depose(why: string): Promise<void> {
    if (!leading) return;
    leading = false;
    log(`no longer elected: ${why}`);
    await options.onDeposed();
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await tryToHold();
      } catch (error) {
        if (stop.signal.aborted) break;
        if (!hasReason(error, 'Conflict', 'AlreadyExists'))
          log(`the lease ${namespace}/${name} could not be renewed: ${(error as Error).message}`);
        if (leading && performance.now() - renewedAt >= renewDeadlineMs) await depose('the lease could not be renewed in time');
      }
      await pause(leading && performance.now() - renewedAt > renewEveryMs ? 1_000 : renewEveryMs, stop.signal);
    }
  }

  async function release(): Promise<void> {
    const current = await client.find(leases, name, { namespace });
    if (current?.spec?.holderIdentity !== identity) return;
    await client.replace(leases, {
      ...current,
      spec: { ...current.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() },
    });
  }

  const running = run();
  return {
    async close() {
      stop.abort();
      await running;
      const wasLeading = leading;
      await depose('shutting down');
      if (wasLeading) await release().catch((error: Error) => log(`the lease could not be released: ${error.message}`));
    },
  };
}

/** RFC 3339 with microseconds, which older servers require. */
function microTime(): MicroTime {
  return new Date().toISOString().replace('Z', '000Z');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
