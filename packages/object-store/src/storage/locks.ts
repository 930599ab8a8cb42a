/** One at a time for each name, in the order they came. */
export class NamedLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(name);
    const mine = before ? before.then(action, action) : action();
    const tail = mine.catch(() => {});
    this.#tails.set(name, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    }
  }
}

/** Many share, or one is alone. Who waits to be alone keeps later ones out. */
export class SharedLock {
  #sharing = 0;
  #alone: Promise<unknown> | undefined;
  #emptied: (() => void) | undefined;

  async share<Result>(action: () => Promise<Result>): Promise<Result> {
    while (this.#alone) await this.#alone.catch(() => {});
    this.#sharing++;
    try {
      return await action();
    } finally {
      if (--this.#sharing === 0) this.#emptied?.();
    }
  }

  async alone<Result>(action: () => Promise<Result>): Promise<Result> {
    while (this.#alone) await this.#alone.catch(() => {});
    const run = (async () => {
      if (this.#sharing > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
      this.#emptied = undefined;
      return await action();
    })();
    this.#alone = run;
    try {
      return await run;
    } finally {
      this.#alone = undefined;
    }
  }
}
