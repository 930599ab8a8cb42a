import type { ApiObject } from '../contracts.ts';
import { aged, named, text, wide, type Column } from './columns.ts';
import { humanDuration } from './durations.ts';

interface PodSummary {
  reason: string;
  ready: number;
  total: number;
  restarts: number;
  lastRestart: number | undefined;
}

const finishedAt = (status: any): number => Date.parse(status?.lastState?.terminated?.finishedAt ?? '');

function terminatedReason({ reason, signal, exitCode }: any, prefix: string): string {
  if (reason) return `${prefix}${reason}`;
  return signal ? `${prefix}Signal:${signal}` : `${prefix}ExitCode:${exitCode ?? 0}`;
}

/** What `kubectl get pods` says of a pod, from printPod of Kubernetes. */
function summarize({ metadata, spec, status = {} }: ApiObject): PodSummary {
  const sidecars = new Set(
    (spec.initContainers ?? []).filter((container: any) => container.restartPolicy === 'Always').map((container: any) => container.name),
  );
  const total = (spec.containers ?? []).length + sidecars.size;
  let reason: string = status.reason || status.phase || 'Unknown';
  if (status.conditions?.some(({ type, reason: why }: any) => type === 'PodScheduled' && why === 'SchedulingGated'))
    reason = 'SchedulingGated';
  let ready = 0;
  let restarts = 0;
  let last = Number.NaN;
  const later = (time: number): void => {
    if (!(last >= time)) last = Number.isNaN(time) ? last : time;
  };
  let isInitializing = false;
  const initial: any[] = status.initContainerStatuses ?? [];
  for (const [index, container] of initial.entries()) {
    restarts += container.restartCount ?? 0;
    later(finishedAt(container));
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecars.has(container.name) && container.started) {
      if (container.ready) ready++;
      continue;
    }
    if (terminated) reason = terminatedReason(terminated, 'Init:');
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${index}/${spec.initContainers.length}`;
    isInitializing = true;
    break;
  }
  if (!isInitializing) {
    restarts = initial.filter(({ name }) => sidecars.has(name)).reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
    let isRunning = false;
    for (const container of (status.containerStatuses ?? []).toReversed()) {
      restarts += container.restartCount ?? 0;
      later(finishedAt(container));
      const { terminated, waiting, running } = container.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated) reason = terminatedReason(terminated, '');
      else if (container.ready && running) {
        isRunning = true;
        ready++;
      }
    }
    if (reason === 'Completed' && isRunning)
      reason = status.conditions?.some(({ type, status: state }: any) => type === 'Ready' && state === 'True') ? 'Running' : 'NotReady';
  }
  if (metadata.deletionTimestamp)
    reason = status.reason === 'NodeLost' ? 'Unknown' : status.phase === 'Succeeded' || status.phase === 'Failed' ? reason : 'Terminating';
  return { reason, ready, total, restarts, lastRestart: Number.isNaN(last) ? undefined : last };
}

function restartsCell(object: ApiObject, now: Date): string {
  const { restarts, lastRestart } = summarize(object);
  return restarts > 0 && lastRestart !== undefined ? `${restarts} (${humanDuration(now.getTime() - lastRestart)} ago)` : String(restarts);
}

function readinessGates({ spec, status }: ApiObject): string {
  const gates: any[] = spec.readinessGates ?? [];
  const met = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: state }: any) => type === conditionType && state === 'True'),
  );
  return gates.length === 0 ? '<none>' : `${met.length}/${gates.length}`;
}

export const podColumns: readonly Column[] = [
  { ...named },
  text('Ready', (pod) => {
    const { ready, total } = summarize(pod);
    return `${ready}/${total}`;
  }),
  text('Status', (pod) => summarize(pod).reason),
  text('Restarts', restartsCell),
  aged,
  wide('IP', ({ status }) => status?.podIP || '<none>'),
  wide('Node', ({ spec }) => spec.nodeName || '<none>'),
  wide('Nominated Node', ({ status }) => status?.nominatedNodeName || '<none>'),
  wide('Readiness Gates', readinessGates),
];
