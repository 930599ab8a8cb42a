import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { Condition } from './conditions.ts';
import type { ResourceAmounts } from './stateful-service.ts';

/** A stateless program of the user's: a Deployment with a Service and, with a host, an Ingress. */
export interface App {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  spec: AppSpec;
  status?: AppStatus;
}

export interface AppSpec {
  /** Container image. May be left out on the embedded cluster, where `command` runs as a process of the machine. */
  image?: string;
  /** Program and its first arguments, instead of the image's own. */
  command?: string[];
  args?: string[];
  /** Folder that the command starts in, an absolute path. Default: the image's; of a process of the machine, a scratch folder. */
  workingDir?: string;
  /** TCP port that the app listens on. Without one nothing can reach it: it gets no Service. */
  port?: number;
  /** Default 1. */
  replicas?: number;
  /** Environment variables, as Kubernetes has them: a value, or where it comes from. */
  env?: EnvVar[];
  /** Public host name: makes an Ingress. */
  host?: string;
  resources?: { requests?: ResourceAmounts; limits?: ResourceAmounts };
  /** One per service. */
  bindings?: AppBinding[];
}

/** What an app gets of a service: an account and a part of its data that is the app's alone. */
export interface AppBinding {
  /** Name of a StatefulService in the same namespace. */
  service: string;
  /** First part of the variables' names, for example `DB`. Default: the service type's. */
  prefix?: string;
  /** The app's own part of the service: database, virtual host, bucket, or prefix of its keys or indices. Default: made of the names of the app and the environment. */
  database?: string;
}

export interface AppStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** Pods that there are. */
  replicas?: number;
  /** Selects its pods, for autoscalers: the form of a label selector in a query. */
  selector?: string;
  /** Pods that are ready and have the newest template. */
  readyReplicas?: number;
  bindings?: AppBindingStatus[];
  /** Where browsers reach it, when it has a host. */
  url?: string;
}

export interface AppBindingStatus {
  service: string;
  /** Secret with the variables. */
  secret: string;
  database: string;
  username: string;
  /** Whether the account has been logged in with since it was made. */
  ready: boolean;
  /** CamelCase. */
  reason: string;
  /** A sentence that a person can act on. */
  message: string;
}
