import type { Strategy } from '../../../contracts.ts';
import { fieldError } from './immutable.ts';
import { invalidValue } from './pod-rules.ts';

export const leaseStrategy: Strategy = {
  validate({ spec }) {
    const seconds = spec?.leaseDurationSeconds;
    return seconds !== undefined && seconds <= 0 ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : [];
  },
};

export const eventStrategy: Strategy = {
  validate({ metadata, involvedObject }) {
    // What belongs to no namespace has its events in `default`.
    const namespace = involvedObject?.namespace ?? '';
    if (namespace === metadata.namespace || (namespace === '' && metadata.namespace === 'default')) return [];
    return [fieldError('FieldValueInvalid', 'involvedObject.namespace', `Invalid value: ${JSON.stringify(namespace)}: does not match event.namespace`)];
  },
};
