import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from './errors.ts';
import { compareQuantities, parseQuantity, requirePositiveQuantity } from './quantity.ts';

const billion = 1_000_000_000n;

describe('parseQuantity', () => {
  it.each([
    ['0', 0n],
    ['1', billion],
    ['1.5', 1_500_000_000n],
    ['.5', 500_000_000n],
    ['1.', billion],
    ['100m', 100_000_000n],
    ['100u', 100_000n],
    ['7n', 7n],
    ['1k', 1000n * billion],
    ['1e3', 1000n * billion],
    ['1E3', 1000n * billion],
    ['2E', 2n * 10n ** 18n * billion],
    ['1Ki', 1024n * billion],
    ['1.5Gi', 1_610_612_736n * billion],
    ['5Gi', 5n * 2n ** 30n * billion],
    ['1Ei', 2n ** 60n * billion],
    ['-1Gi', -(2n ** 30n) * billion],
    ['+3', 3n * billion],
    ['1e-3', 1_000_000n],
  ])('reads %s', (text, value) => expect(parseQuantity(text)).toBe(value));

  it.each(['', '.', 'Gi', '5GB', '5gi', '5 Gi', '1e', '1e3Gi', '--1', '1_000', '0x10', 'Infinity', '1mm', '1Gi\n'])('refuses %j', (text) =>
    expect(parseQuantity(text)).toBeUndefined(),
  );

  it('rounds what is finer than a billionth away from zero', () => {
    expect(parseQuantity('0.1n')).toBe(1n);
    expect(parseQuantity('1.0000000001')).toBe(billion + 1n);
    expect(parseQuantity('-0.1n')).toBe(-1n);
  });

  it('gives the same value for the same amount in any unit', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (n) => {
        expect(parseQuantity(`${n}k`)).toBe(parseQuantity(`${n}000`));
        expect(parseQuantity(`${n}Mi`)).toBe(parseQuantity(`${n * 1024}Ki`));
        expect(parseQuantity(`${n}m`)).toBe(parseQuantity(`${n}e-3`));
      }),
    );
  });

  it('never throws on garbage', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseQuantity(text);
      }),
    );
  });
});

describe('compareQuantities', () => {
  it('orders as the numbers do', () => {
    fc.assert(fc.property(fc.nat(), fc.nat(), (a, b) => compareQuantities(`${a}Mi`, `${b}Mi`) === Math.sign(a - b)));
    expect(compareQuantities('1Gi', '1G')).toBe(1);
    expect(compareQuantities('1024Mi', '1Gi')).toBe(0);
  });
});

describe('requirePositiveQuantity', () => {
  const failure = (text: string) => {
    try {
      requirePositiveQuantity('--storage', text, '5Gi');
    } catch (error) {
      return error;
    }
    return undefined;
  };
  it('suggests the unit that was meant', () => {
    const error = failure('5GB');
    expect(hasCode(error, 'usage') && error.hint).toBe('Did you mean 5Gi?');
  });
  it.each(['-1Gi', '0', 'much'])('refuses %s as a usage error', (text) => expect(hasCode(failure(text), 'usage')).toBe(true));
  it('accepts a quantity', () => expect(failure('1.5Gi')).toBeUndefined());
});
