import type { Container, PodSecurityContext } from 'kubernetes-types/core/v1.d.ts';
import type { ImageProcess, ServiceType } from '@skipper/api';

/** Everything Skipper knows of one type of service. One folder each; nothing outside asks which type it has. */
export interface Engine {
  readonly type: ServiceType;
  /** The engine's name as its makers write it, for example `PostgreSQL`. */
  readonly title: string;
  readonly defaultVersion: string;
  /** Image reference for a version, as the specification names it. */
  image(version: string): string;
  /** The version that an image reference names, when it is one of this engine's. */
  versionOf(image: string): string | undefined;
  /** The versions whose data format and environment this definition fits. `undefined` when it fits, else why not. */
  refuses(version: string): string | undefined;
  /** Whether a volume that `from` wrote can be opened by `to`. `undefined` when it can, else why not. */
  refusesChange(from: string, to: string): string | undefined;
  /** The first is the one that clients connect to. */
  readonly ports: readonly [EnginePort, ...EnginePort[]];
  readonly defaultStorage: string;
  /** Requests and limits of a service that names none. */
  readonly defaultResources: { requests: { cpu: string; memory: string }; limits: { cpu?: string; memory: string } };
  /** The database made at first start, where the engine has such a thing. */
  readonly database?: string;
  /** Where the volume is mounted. */
  readonly dataPath: string;
  /** How long the engine may take to stop without losing anything, in seconds. */
  readonly terminationGracePeriodSeconds: number;
  /** User and group the image runs as. */
  readonly podSecurityContext: PodSecurityContext;
  /** Command, environment, probes and mounts besides the data; the operator adds name, image, ports, data volume, resources and the restricted security context. */
  container(
    context: EngineContext,
  ): Pick<
    Container,
    | 'command'
    | 'args'
    | 'env'
    | 'startupProbe'
    | 'readinessProbe'
    | 'livenessProbe'
    | 'volumeMounts'
    | 'lifecycle'
    | 'terminationMessagePolicy'
  >;
  /** Folders that the image writes besides its data: mounted as emptyDir, because the root file system is read-only. */
  readonly scratchPaths: readonly string[];
  /** The connection URI; every part is escaped. */
  uri(connection: Connection): string;
  /** More lines for `kip service info`, for example MinIO's `Endpoint`. */
  details?(connection: Connection): { label: string; value: string }[];
  /** How its image of a version runs on the embedded cluster. */
  process(version: string, host: ProcessHost): ImageProcess;
  /** What an app that is bound to a service gets besides host, port, username, password and URL. */
  readonly binding: EngineBinding;
  /** Accounts of apps. */
  readonly accounts: Accounts;
  /** The engine's own interactive client, for `kip service connect`. */
  readonly client?: EngineClient;
}

/** What the program that holds the catalog knows of itself. */
export interface ProcessHost {
  /** Folder of a program that comes with Skipper. It holds `main.cjs`, which Node runs, and what that needs. */
  ownProgram(name: string): string;
}

export interface EngineBinding {
  /** First part of the variables' names, without the underscore: `DB`, `S3`, `REDIS`, `AMQP`, `OPENSEARCH`. */
  readonly prefix: string;
  /** More variables, by the part of their name after the prefix: `{ NAME: 'domain_service_test' }` becomes `DB_NAME`. */
  variables(connection: Connection & { database: string }): Record<string, string>;
}

/** What belongs to one app within a service. */
export interface Grant {
  /** The app's own part: database, virtual host, bucket, or prefix of its keys or indices. */
  database: string;
  username: string;
  password: string;
}

/** A running service, as the operator reaches it. */
export interface ServiceAccess {
  administrator: { username: string; password: string };
  /** Where one of {@link Engine.ports} answers from here, by its name. Opened when first asked for and closed by whoever made this. */
  endpoint(portName: string): Promise<{ host: string; port: number }>;
  signal: AbortSignal;
}

/**
 * Accounts for apps, made through the engine's own driver. Everything is idempotent and may be cut off at any point: the next call
 * goes on. Each method throws when the engine is not reached or refuses, a {@link NoAccountsError} where it has none.
 */
export interface Accounts {
  /** The app's own part when the binding names none, from `domain_service_test`: for a bucket, say, `domain-service-test`. */
  defaultDatabase(name: string): string;
  /** Why a name cannot be an app's own part, as a sentence with the rule or limit; `undefined` when it can. Names that are the engine's own or the administrator's are refused. */
  refusesDatabase(name: string): string | undefined;
  /**
   * Makes the app's own part and its account, with this password and with exactly the rights that let it own its part and reach
   * nothing else: an account that is there already is set right, rights that were widened or narrowed by hand included.
   */
  grant(access: ServiceAccess, grant: Grant): Promise<void>;
  /** Logs in as the account and reaches its part. @throws when that fails. */
  verify(access: ServiceAccess, grant: Grant): Promise<void>;
  /** Removes the account and ends its sessions. Its part and all data in it stay. Does nothing when there is no such account. */
  revoke(access: ServiceAccess, grant: Pick<Grant, 'username' | 'database'>): Promise<void>;
}

/** The engine runs in a way that has no accounts at all; the message says the mend. */
export class NoAccountsError extends Error {
  override readonly name = 'NoAccountsError';
}

export interface EngineClient {
  /** Names of the program, the preferred one first, for example `psql`. */
  readonly programs: readonly string[];
  /** How to start it. Secrets go into the environment or a private file, never into arguments. */
  command(program: string, connection: Connection): { args: string[]; env: Record<string, string> };
}

export interface EnginePort {
  name: string;
  port: number;
}

export interface EngineContext {
  version: string;
  /** Name of the Secret whose keys `username`, `password`, `database` hold the administrator's credentials. */
  credentialsSecret: string;
  /** What the user asks of this engine beyond the specification: an annotation `skipper.dev/<type>-<name>` of the service is the option `<name>`. */
  options?: Readonly<Record<string, string>>;
}

export interface Connection {
  host: string;
  port: number;
  username: string;
  password: string;
  database?: string;
}

/** The administrator account of every service. */
export const administrator = 'skipper';
