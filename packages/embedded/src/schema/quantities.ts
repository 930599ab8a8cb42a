import { parseQuantity } from '@skipper/api';

const decimalSuffixes: readonly [exponent: number, suffix: string][] = [
  [18, 'E'],
  [15, 'P'],
  [12, 'T'],
  [9, 'G'],
  [6, 'M'],
  [3, 'k'],
  [0, ''],
  [-3, 'm'],
  [-6, 'u'],
  [-9, 'n'],
];
const binarySuffixes = ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;
const billionths = 1_000_000_000n;

/** The one form in which Kubernetes stores an amount: `0.5` is `500m`, `1024Mi` is `1Gi`. What is no quantity is returned as it is. */
export function canonicalQuantity(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  const text = String(value);
  const amount = parseQuantity(text);
  if (amount === undefined) return value;
  if (amount === 0n) return '0';
  if (text.endsWith('i') && amount % billionths === 0n) {
    const whole = amount / billionths;
    const magnitude = whole < 0n ? -whole : whole;
    if (magnitude >= 1024n) {
      const found = binarySuffixes.findIndex((_, index) => whole % 1024n ** BigInt(6 - index) === 0n);
      return found < 0 ? String(whole) : `${whole / 1024n ** BigInt(6 - found)}${binarySuffixes[found]}`;
    }
  }
  const isExponent = /[eE][+-]?\d/.test(text);
  const [exponent, suffix] = decimalSuffixes.find(([power]) => amount % 10n ** BigInt(power + 9) === 0n)!;
  const mantissa = amount / 10n ** BigInt(exponent + 9);
  if (isExponent) return exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`;
  return `${mantissa}${suffix}`;
}
