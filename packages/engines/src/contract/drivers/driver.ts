/** What a contract needs of an engine's clients, by the driver that its users would take. */
export interface Driver {
  write(uri: string, value: string): Promise<void>;
  read(uri: string): Promise<string | undefined>;
  /** Connects without a password. Must fail. */
  connectWithoutPassword(host: string, port: number): Promise<unknown>;
}
