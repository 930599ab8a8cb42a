import type { Connection } from '../../engine.ts';

/** What a contract needs of an engine's clients, by the driver that its users would take. */
export interface Driver {
  /**
   * For an engine that a test must not download and a machine need not have: the reason, and whether its program is here. Where it
   * is not, the contract is about the definition and about what is said of the absence.
   */
  readonly mayBeAbsent?: { because: string; isHere(enginesDir: string): Promise<boolean> };
  /** How long a start may take on a busy machine. Default 90 s. */
  readonly startMs?: number;
  /** What an engine says that picks ports for itself, when somebody else took one before it did: it ends, and a start is to be tried again. */
  readonly lostPort?: RegExp;
  /** When a first start is killed: all of these in turn must be survived. */
  readonly killsAfterMs?: readonly number[];
  write(uri: string, value: string): Promise<void>;
  read(uri: string): Promise<string | undefined>;
  /** Connects without a password. Must fail. */
  connectWithoutPassword(host: string, port: number): Promise<unknown>;
  /** For engines that make accounts for apps. */
  accounts?: AccountsDriver;
}

/** An account with the part of the service that is its own. */
export type Account = Connection & { database: string };

export interface AccountsDriver {
  /** Opens a session by the URI, or else by the parts, and asks who it is. */
  whoAmI(by: string | Account): Promise<string>;
  /** Makes the value readable in the account's own part. */
  write(account: Account, value: string): Promise<void>;
  /** The value that was written last. */
  read(account: Account): Promise<string | undefined>;
  /** Opens a session and keeps it. @returns a function that resolves when the server has ended it. */
  hold(account: Account): Promise<() => Promise<void>>;
  /** Ways to what is not the account's. */
  readonly attacks: readonly Attack[];
  /** Ways to give an account too much by hand. The first makes every attack succeed. */
  readonly widenings: readonly [Widening, ...Widening[]];
  /** Whether an error says that the engine refused for want of rights, rather than that the attempt was mistaken. */
  isRefusal(error: unknown): boolean;
  /** Makes the server log as much as it can, for a test that looks for secrets there. */
  logEverything?(administrator: Account): Promise<void>;
  /** Ways for an account to keep the administrator from working on its part or for others, where there are any. */
  readonly obstacles?: readonly { name: string; apply(account: Account, other: Account): Promise<unknown> }[];
  /** Removes an account by hand. */
  drop(administrator: Account, account: Account): Promise<void>;
}

export interface Attack {
  name: string;
  /** Resolves when the attack succeeded. The victim has written the value `secret`. */
  run(attacker: Account, victim: Account): Promise<unknown>;
}

export interface Widening {
  name: string;
  apply(administrator: Account, attacker: Account, victim: Account): Promise<unknown>;
  /** Name of an attack that it makes succeed. */
  opens: string;
}

/** Thrown by an attack that was answered without an error, but with nothing of the victim's. */
export class Refused extends Error {}

export function refuseUnless(succeeded: boolean): void {
  if (!succeeded) throw new Refused('nothing was to be seen');
}
