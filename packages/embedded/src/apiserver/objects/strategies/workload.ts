import { isDeepStrictEqual } from 'node:util';
import type { FieldError, Strategy } from '../../../contracts.ts';
import { forbiddenChange, immutable } from './immutable.ts';

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function fixedPart(spec: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !changeable.includes(name)));
}

export const statefulSetStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = { replicas: 0, availableReplicas: 0 };
  },
  validate(object, old): FieldError[] {
    if (!old || isDeepStrictEqual(fixedPart(old['spec']), fixedPart(object['spec']))) return [];
    const names = changeable.map((name) => `'${name}'`);
    return [
      forbiddenChange(
        'spec',
        `updates to statefulset spec for fields other than ${names.slice(0, -1).join(', ')} and ${names.at(-1)} are forbidden`,
      ),
    ];
  },
};

const selectorFixed: Strategy['validate'] = (object, old) =>
  old ? immutable('spec.selector', old['spec'].selector, object['spec'].selector) : [];

export const deploymentStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = {};
  },
  validate: selectorFixed,
};

export const replicaSetStrategy: Strategy = {
  prepareCreate(object) {
    object['status'] = { replicas: 0 };
  },
  validate: selectorFixed,
};
