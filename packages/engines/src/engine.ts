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
  ): Pick<Container, 'command' | 'args' | 'env' | 'startupProbe' | 'readinessProbe' | 'livenessProbe' | 'volumeMounts' | 'lifecycle'>;
  /** Folders that the image writes besides its data: mounted as emptyDir, because the root file system is read-only. */
  readonly scratchPaths: readonly string[];
  /** The connection URI; every part is escaped. */
  uri(connection: Connection): string;
  /** More lines for `kip service info`, for example MinIO's `Endpoint`. */
  details?(connection: Connection): { label: string; value: string }[];
  /** How its image of a version runs on the embedded cluster. */
  process(version: string): ImageProcess;
}

export interface EnginePort {
  name: string;
  port: number;
}

export interface EngineContext {
  version: string;
  /** Name of the Secret whose keys `username`, `password`, `database` hold the administrator's credentials. */
  credentialsSecret: string;
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
