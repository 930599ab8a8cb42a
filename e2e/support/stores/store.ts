/** Where a program finds its part of a service: what a binding's variables say, or `kip service info`. */
export interface Place {
  host: string;
  port: number;
  username: string;
  password: string;
  /** The program's own part: database, virtual host, bucket, or prefix of its keys or indices. */
  database: string;
}

/** One engine by the driver that its users would take. Runs in the tests and in the app that they deploy, as it is. */
export interface Store {
  /** First part of the names of a binding's variables. */
  prefix: string;
  /** Name of the variable that says the program's own part, after the prefix. */
  part: string;
  /** The administrator's own part, where it keeps something too. */
  administratorsPart: string;
  write(place: Place, text: string): Promise<void>;
  read(place: Place): Promise<string | undefined>;
}
