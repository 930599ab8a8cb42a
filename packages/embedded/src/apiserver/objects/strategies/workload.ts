import { isDeepStrictEqual } from 'node:util';
import type { ApiObject, FieldError, Strategy } from '../../../contracts.ts';
import { forbiddenChange, immutable } from './immutable.ts';
import { invalidValue, notSupported, podSpecErrors } from './pod-rules.ts';

const changeable = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'];

function fixedPart(spec: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !changeable.includes(name)));
}

export const statefulSetStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = { replicas: 0, availableReplicas: 0 };
  },
  validate(object, old): FieldError[] {
    const errors = workloadErrors(object);
    if (!old || isDeepStrictEqual(fixedPart(old['spec']), fixedPart(object['spec']))) return errors;
    const names = changeable.map((name) => `'${name}'`);
    return [...errors, forbiddenChange('spec', `updates to statefulset spec for fields other than ${names.slice(0, -1).join(', ')} and ${names.at(-1)} are forbidden`)];
  },
};

const validate: Strategy['validate'] = (object, old) => [...workloadErrors(object), ...(old ? immutable('spec.selector', old['spec'].selector, object['spec'].selector) : [])];

/** What every kind of workload must say. */
function workloadErrors({ spec }: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.replicas < 0) errors.push(invalidValue('spec.replicas', spec.replicas, 'must be greater than or equal to 0'));
  const wanted = Object.entries(spec.selector?.matchLabels ?? {});
  const labels: Record<string, string> = spec.template?.metadata?.labels ?? {};
  if (wanted.length === 0 && !spec.selector?.matchExpressions?.length) errors.push(invalidValue('spec.selector', spec.selector ?? {}, 'empty selector is invalid for this kind'));
  else if (wanted.some(([name, value]) => labels[name] !== value)) errors.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  const pod = spec.template?.spec ?? {};
  errors.push(...podSpecErrors(withClaims(pod, spec.volumeClaimTemplates), 'spec.template.spec'));
  if (pod.restartPolicy !== 'Always') errors.push(notSupported('spec.template.spec.restartPolicy', pod.restartPolicy, ['Always']));
  return errors;
}

/** A claim template is a volume of its name. */
function withClaims(spec: any, claims: any[] = []): unknown {
  const own = new Set((spec.volumes ?? []).map(({ name }: { name: string }) => name));
  return { ...spec, volumes: [...(spec.volumes ?? []), ...claims.map(({ metadata }) => ({ name: metadata?.name })).filter(({ name }) => !own.has(name))] };
}

export const deploymentStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = {};
  },
  validate,
};

export const replicaSetStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = { replicas: 0 };
  },
  validate,
};
