import { describe, expect, it } from 'vitest';
import type { Condition } from '@skipper/api';
import { stateOf } from './reporting.ts';

const ready = (status: Condition['status'], reason: string) => ({
  status: { conditions: [{ type: 'Ready', status, reason, message: `It says ${reason}.`, lastTransitionTime: '' }] },
});

describe('the word for how an object goes', () => {
  it.each([
    ['running', ready('True', 'Running')],
    ['starting', {}],
    ['starting', ready('False', 'Creating')],
    ['starting', ready('False', 'Updating')],
    ['starting', ready('False', 'Binding')],
    ['starting', ready('False', 'ServiceNotReady')],
    ['failing', ready('False', 'CrashLoopBackOff')],
    ['failing', ready('False', 'DatabaseTaken')],
    ['deleting', { metadata: { deletionTimestamp: 'now' as never }, ...ready('True', 'Running') }],
  ])('is %s', (word, object) => expect(stateOf(object).word).toBe(word));
  it('comes with the reason until all is well', () => {
    expect(stateOf(ready('False', 'Creating')).message).toBe('It says Creating.');
    expect(stateOf(ready('True', 'Running')).message).toBeUndefined();
  });
});
