/** One figure of the bench, beside what it is held against, both measured in the same run. */
export interface Measurement {
  name: string;
  value: number;
  /** For example `ms` or `MB/s`. */
  unit: string;
  /** What it is compared with. */
  floor?: { name: string; value: number };
  /** `value` by the floor's. */
  ratio?: number;
  /** What the ratio (or the value, without a floor) is to be, for example `≤ 1.2`. Left out for figures that only inform. */
  aim?: string;
}

/** A measurement held against another one of the same run. */
export function compared(name: string, value: number, unit: string, floor: { name: string; value: number }, aim?: string): Measurement {
  return { name, value, unit, floor, ratio: value / floor.value, aim };
}
