import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { Condition } from './conditions.ts';

/** The types of service, in the order users meet them. */
export const serviceTypes = ['postgres', 'mysql', 'mongodb', 'redis', 'rabbitmq', 'opensearch', 'minio'] as const;
export type ServiceType = (typeof serviceTypes)[number];

/** A database, cache, queue or store that a user asked for: one pod with a persistent volume. */
export interface StatefulService {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
  spec: StatefulServiceSpec;
  status?: StatefulServiceStatus;
}

export interface StatefulServiceSpec {
  /** What runs. Cannot change. */
  type: ServiceType;
  /** Version of the engine as its image's tag says it, for example `18`. Default: the catalog's. */
  version?: string;
  /** Size of the volume, a Kubernetes quantity. May grow, never shrink. Default: the catalog's for the type. */
  storage?: string;
  resources?: { requests?: ResourceAmounts; limits?: ResourceAmounts };
  /** Storage class of the volume. Default: the cluster's. Cannot change. */
  storageClassName?: string;
}

export interface ResourceAmounts {
  cpu?: string;
  memory?: string;
}

export interface StatefulServiceStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** The version that runs: the wanted one, or the volume's or the catalog's when none is named. */
  version?: string;
  /** Size of the volume, as far as it is provided. */
  storage?: string;
  /** Where clients inside the cluster connect. */
  endpoint?: { host: string; port: number };
  /** The Secret with the connection details, as servicebinding.io wants it. */
  binding?: { name: string };
}
