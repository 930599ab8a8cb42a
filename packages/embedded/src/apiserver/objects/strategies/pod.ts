import { isDeepStrictEqual } from 'node:util';
import type { ApiObject, Strategy } from '../../../contracts.ts';
import { forbiddenChange } from './immutable.ts';

/** What may change in a running pod: set aside before its spec is compared. */
function fixedPart(spec: any): unknown {
  const { activeDeadlineSeconds, terminationGracePeriodSeconds, tolerations, containers, initContainers, nodeName, ...rest } = spec ?? {};
  const withoutImage = (list: any[] = []): unknown[] => list.map(({ image, resources, ...container }) => container);
  return { ...rest, containers: withoutImage(containers), initContainers: withoutImage(initContainers) };
}

export const podStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = { phase: 'Pending', qosClass: qualityOf(object) };
  },
  validate(object, old) {
    if (!old) return [];
    const moved = old['spec'].nodeName && old['spec'].nodeName !== object['spec'].nodeName;
    if (!moved && isDeepStrictEqual(fixedPart(old['spec']), fixedPart(object['spec']))) return [];
    return [
      forbiddenChange(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      ),
    ];
  },
  gracePeriodSeconds(object, asked) {
    const { phase } = object['status'] ?? {};
    // Nothing runs: nobody has to be waited for.
    if (!object['spec'].nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
    return Math.max(0, asked ?? object['spec'].terminationGracePeriodSeconds ?? 30);
  },
};

function qualityOf(object: ApiObject): string {
  const containers: any[] = [...(object['spec']?.containers ?? []), ...(object['spec']?.initContainers ?? [])];
  const amounts = containers.flatMap(({ resources }) => [
    ...Object.keys(resources?.requests ?? {}),
    ...Object.keys(resources?.limits ?? {}),
  ]);
  if (amounts.length === 0) return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    ['cpu', 'memory'].every(
      (name) => resources?.limits?.[name] && (resources.requests?.[name] ?? resources.limits[name]) === resources.limits[name],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
