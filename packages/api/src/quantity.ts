import { KipError } from './errors.ts';

const suffixes: Record<string, { base: bigint; exponent: number }> = {
  n: { base: 10n, exponent: -9 },
  u: { base: 10n, exponent: -6 },
  m: { base: 10n, exponent: -3 },
  '': { base: 10n, exponent: 0 },
  k: { base: 10n, exponent: 3 },
  M: { base: 10n, exponent: 6 },
  G: { base: 10n, exponent: 9 },
  T: { base: 10n, exponent: 12 },
  P: { base: 10n, exponent: 15 },
  E: { base: 10n, exponent: 18 },
  Ki: { base: 2n, exponent: 10 },
  Mi: { base: 2n, exponent: 20 },
  Gi: { base: 2n, exponent: 30 },
  Ti: { base: 2n, exponent: 40 },
  Pi: { base: 2n, exponent: 50 },
  Ei: { base: 2n, exponent: 60 },
};

const pattern = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,3})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;

const nanoDigits = 9;

/**
 * A Kubernetes quantity in billionths, rounded up as the API server does; `undefined` when it is none.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = match[4] ?? '', , power, suffix = ''] = match;
  const unit = power === undefined ? suffixes[suffix] : { base: 10n, exponent: Number(power) };
  if (!unit) return undefined;
  let numerator = BigInt(whole + fraction || '0') * 10n ** BigInt(nanoDigits);
  let denominator = 10n ** BigInt(fraction.length);
  if (unit.exponent >= 0) numerator *= unit.base ** BigInt(unit.exponent);
  else denominator *= unit.base ** BigInt(-unit.exponent);
  const roundedUp = (numerator + denominator - 1n) / denominator;
  return sign === '-' ? -roundedUp : roundedUp;
}

/**
 * Throws unless `text` is a quantity above zero.
 * @param what names the value in the message, for example `--storage`.
 * @throws KipError `usage`
 */
export function requirePositiveQuantity(what: string, text: string, example: string): void {
  const value = parseQuantity(text);
  if (value === undefined)
    throw new KipError('usage', `${what} "${text}" is not a quantity.`, {
      hint: suggestion(text) ?? `Write a number and a unit, for example ${example}.`,
    });
  if (value <= 0n) throw new KipError('usage', `${what} "${text}" must be more than zero.`, { hint: `For example ${example}.` });
}

/** `5GB`, `5gb` and `5GiB` are what people type for `5Gi`. */
function suggestion(text: string): string | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp])i?b?$/i.exec(text);
  return match ? `Did you mean ${match[1]}${match[2]!.toUpperCase()}i?` : undefined;
}

/** -1, 0 or 1. Both must be quantities. @throws RangeError when one is not. */
export function compareQuantities(left: string, right: string): number {
  const a = parseQuantity(left);
  const b = parseQuantity(right);
  if (a === undefined || b === undefined) throw new RangeError(`not a quantity: ${a === undefined ? left : right}`);
  return a < b ? -1 : a > b ? 1 : 0;
}
