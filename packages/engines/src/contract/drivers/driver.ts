/** What a contract needs of an engine's clients, by the driver that its users would take. */
export interface Driver {
  /** How long a start may take on a busy machine. Default 30 s. */
  readonly startMs?: number;
  /** When a first start is killed: all of these in turn must be survived. */
  readonly killsAfterMs?: readonly number[];
  write(uri: string, value: string): Promise<void>;
  read(uri: string): Promise<string | undefined>;
  /** Connects without a password. Must fail. */
  connectWithoutPassword(host: string, port: number): Promise<unknown>;
}
