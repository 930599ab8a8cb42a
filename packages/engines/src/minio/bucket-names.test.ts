import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appDatabaseName, appNameLimit } from '@skipper/api';
import { defaultBucket, refusesBucket } from './bucket-names.ts';

const letters = 'abcdefghijklmnopqrstuvwxyz';
const word = (longest: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...letters),
      fc.string({ unit: fc.constantFrom(...letters, '0', '9', '-'), maxLength: longest - 2 }),
      fc.constantFrom('', ...letters, '7'),
    )
    .map(([first, middle, last]) => (last === '' ? first : first + middle + last));

describe('the bucket of an app', () => {
  it.each([
    ['domain_service_test', 'domain-service-test'],
    ['api', 'api'],
    ['a', '0-a'],
    ['ab', '0-ab'],
    ['minio', '0-minio'],
  ])('of %s is %s', (name, bucket) => expect(defaultBucket(name)).toBe(bucket));

  it('can always be made, and is never that of another app', () => {
    fc.assert(
      fc.property(word(appNameLimit), word(appNameLimit), fc.option(word(40), { nil: undefined }), (app, other, environment) => {
        const bucket = defaultBucket(appDatabaseName(app, environment));
        expect(refusesBucket(bucket)).toBeUndefined();
        if (app !== other) expect(defaultBucket(appDatabaseName(other, environment))).not.toBe(bucket);
      }),
    );
  });

  it.each([
    'ab',
    'a'.repeat(64),
    'Upper',
    'under_score',
    '-a-',
    'a..b',
    'a.-b',
    'a-.b',
    '.ab',
    'ab-',
    '192.168.0.1',
    'minio',
    'a/b',
    'a b',
    'ünder',
    '',
  ])('cannot be %j', (name) => expect(refusesBucket(name)).toMatch(/bucket/));
  it.each(['abc', 'a'.repeat(63), '1-a', 'a.b', 'a--b'])('can be %j', (name) => expect(refusesBucket(name)).toBeUndefined());
});
