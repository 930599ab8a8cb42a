/** Node's timers hold 31 bits: what is longer than this, in ms, would be over at once. */
const longestMs = 2 ** 31 - 1;

/** For timers, where Kubernetes allows longer times than Node does. */
export function timerDelay(ms: number): number {
  return Math.min(ms, longestMs);
}
