import { describe, expect, it } from 'vitest';
import { hasCode } from './errors.ts';
import { requireServiceName, scopeOf, serviceNameLimit } from './names.ts';

const failure = (attempt: () => unknown) => {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('requireServiceName', () => {
  it.each(['a', 'mydb', 'my-db-2', 'x'.repeat(serviceNameLimit)])('accepts %s', (name) =>
    expect(failure(() => requireServiceName(name))).toBeUndefined(),
  );
  it.each(['', '-a', 'a-', 'My', 'a_b', 'a.b', '2fast', '../etc', 'a b', 'ä', 'a\n'])('refuses %j', (name) =>
    expect(
      hasCode(
        failure(() => requireServiceName(name)),
        'usage',
      ),
    ).toBe(true),
  );
  it('says the limit for a long name', () => {
    const error = failure(() => requireServiceName('x'.repeat(serviceNameLimit + 1)));
    expect(hasCode(error, 'usage') && error.message).toContain('at most 52');
  });
});

describe('scopeOf', () => {
  it('is the default namespace when nothing is named', () =>
    expect(scopeOf(undefined, undefined)).toEqual({ project: 'default', environment: undefined, namespace: 'default' }));
  it('joins project and environment', () => expect(scopeOf('yourr-name', 'test').namespace).toBe('yourr-name-test'));
  it('uses the default project for an environment alone', () => expect(scopeOf(undefined, 'test').namespace).toBe('default-test'));
  it('checks the joined length', () =>
    expect(
      hasCode(
        failure(() => scopeOf('p'.repeat(40), 'e'.repeat(40))),
        'usage',
      ),
    ).toBe(true));
});
