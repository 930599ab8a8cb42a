/** How long to wait before the next try: twice as long each time. */
export interface BackOff {
  next(): number;
  reset(): void;
}

export function createBackOff(firstMs: number, longestMs: number): BackOff {
  let ms = firstMs;
  return {
    next() {
      const wait = ms;
      ms = Math.min(ms * 2, longestMs);
      return wait;
    },
    reset() {
      ms = firstMs;
    },
  };
}
