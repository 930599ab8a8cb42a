import { isDeepStrictEqual } from 'node:util';
import type { AppBinding } from '@skipper/api';

/** What became of a binding, as of the last time it was worked on. */
export interface Outcome {
  /** The entry that was worked on: of another one this says nothing. */
  entry: AppBinding;
  ready: boolean;
  /** CamelCase. */
  reason: string;
  message: string;
  /** When it is ready: digest of the variables that the Secret was last written with. */
  given?: string;
}

/** What this process has found out about bindings, by namespace, app and service. Whatever must outlive it stands in their Secrets. */
export class Outcomes {
  readonly #outcomes = new Map<string, Outcome>();
  readonly #dueAt = new Map<string, number>();
  readonly #changed: (key: string) => void;

  /** @param changed called when an app's status may have to say something else */
  constructor(changed: (key: string) => void) {
    this.#changed = changed;
  }

  get(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }

  set(key: string, outcome: Outcome): void {
    if (isDeepStrictEqual(this.#outcomes.get(key), outcome)) return;
    this.#outcomes.set(key, outcome);
    this.#changed(key);
  }

  forget(key: string): void {
    this.#outcomes.delete(key);
    this.#dueAt.delete(key);
  }

  /** How long until its account is to be logged in with again, in ms; undefined when this process has not said. */
  dueInMs(key: string): number | undefined {
    const at = this.#dueAt.get(key);
    return at === undefined ? undefined : at - performance.now();
  }

  /** @returns `delayMs` */
  postpone(key: string, delayMs: number): number {
    this.#dueAt.set(key, performance.now() + delayMs);
    return delayMs;
  }
}
