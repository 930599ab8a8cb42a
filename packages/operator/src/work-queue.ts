/** What a reconciler wants to happen next for its key. */
export interface Outcome {
  /** Look again after this many ms even if nothing changes. Undefined: only when something changes. */
  requeueAfterMs?: number;
}

export interface WorkQueueOptions {
  process(key: string): Promise<Outcome>;
  onError(key: string, error: unknown, retryInMs: number): void;
  /** Keys worked on at once. */
  concurrency: number;
  firstRetryMs?: number;
  longestRetryMs?: number;
}

/**
 * A queue of keys: one that waits already is not added twice, one that is being worked on is done again afterwards, and one whose
 * work throws comes back after a delay that doubles with every failure in a row.
 */
export class WorkQueue {
  readonly #options: Required<WorkQueueOptions>;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys that were added while they were worked on. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #failures = new Map<string, number>();
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = { firstRetryMs: 200, longestRetryMs: 60_000, ...options };
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#startNext();
  }

  /** Adds the key later. A delay that is running already is replaced. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => {
        this.#timers.delete(key);
        this.add(key);
      }, delayMs),
    );
  }

  /** Takes nothing more, and resolves when the keys in work are done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #startNext(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    const { process, onError, firstRetryMs, longestRetryMs } = this.#options;
    try {
      const { requeueAfterMs } = await process(key);
      this.#failures.delete(key);
      clearTimeout(this.#timers.get(key));
      this.#timers.delete(key);
      if (requeueAfterMs !== undefined) this.addAfter(key, requeueAfterMs);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures);
      if (!this.#closed) onError(key, error, delayMs);
      this.addAfter(key, delayMs);
    }
    this.#running.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#startNext();
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
