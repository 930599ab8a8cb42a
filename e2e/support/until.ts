/**
 * Asks again until there is an answer.
 * @param timeoutMs long enough for a kubelet that has the pods of other suites to remove before it starts this one's
 * @throws when there is none within `timeoutMs`, with the last failure.
 */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, timeoutMs = 200_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let failure: unknown;
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: failure });
}
