/** What a contract needs of an engine's clients, by the driver that its users would take. */
export interface Driver {
  /**
   * For an engine that a test must not download and a machine need not have: the reason, and whether its program is here. Where it
   * is not, the contract is about the definition and about what is said of the absence.
   */
  readonly mayBeAbsent?: { because: string; isHere(enginesDir: string): Promise<boolean> };
  /** How long a start may take on a busy machine. Default 30 s. */
  readonly startMs?: number;
  /** When a first start is killed: all of these in turn must be survived. */
  readonly killsAfterMs?: readonly number[];
  write(uri: string, value: string): Promise<void>;
  read(uri: string): Promise<string | undefined>;
  /** Connects without a password. Must fail. */
  connectWithoutPassword(host: string, port: number): Promise<unknown>;
}
