/** Node's timers hold 31 bits: what is longer than this, in ms, would be over at once. */
const longestMs = 2 ** 31 - 1;

/** For timers, where Kubernetes allows longer times than Node does: they are over after 24 days, which the README says. */
export function timerDelay(ms: number): number {
  return Math.min(ms, longestMs);
}
