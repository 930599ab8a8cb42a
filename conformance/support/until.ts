/**
 * Tries `attempt` until it returns something other than undefined, null or false.
 * @param what the awaited state, for the error message
 * @param timeoutMs long enough for the kubelet of an early version, which makes five requests in a second whatever it has to do
 * @throws when `timeoutMs` passed, with what the last attempt threw or gave
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 200_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const result = await attempt();
      if (result !== undefined && result !== null && result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What `attempt` rejects with. @throws when it does not. */
export async function failureOf(attempt: Promise<unknown>): Promise<unknown> {
  try {
    await attempt;
  } catch (error) {
    return error;
  }
  throw new Error('this should have failed');
}
