import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerContext, ImageResolver } from '@skipper/api';
import type { ProcessRecords } from './process-records.ts';
import type { HostsBinding } from './supervised-process.ts';

/** What one run of a container is made of. Its signal aborts when the container is to stop. */
export type RunContext = ContainerContext & { hosts?: HostsBinding | undefined };

/** What a container needs of its pod and node. */
export interface ContainerHost {
  /** Unique among the pods of the node. */
  readonly key: string;
  readonly images: ImageResolver;
  readonly enginesDir: string;
  readonly records: ProcessRecords;
  readonly graceSeconds: number;
  context(container: Container, signal: AbortSignal): Promise<Omit<RunContext, 'run'>>;
  /** Pods whose containers run and declare a port. */
  podsOfPort(port: number): string[];
  changed(): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}
