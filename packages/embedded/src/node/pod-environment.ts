import type { ImageResolver } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import type { EventRecorder } from '../event-recorder.ts';
import type { Addresses } from './addresses.ts';
import type { HostSupport } from './host-context.ts';
import type { Owner } from './ownership.ts';
import type { ProcessRecords } from './process-records.ts';

/** What every pod of the node shares. */
export interface PodEnvironment extends HostSupport {
  readonly client: KubeClient;
  readonly nodeName: string;
  /** Below it each pod has a folder, named by its uid. */
  readonly podsFolder: string;
  readonly enginesDir: string;
  readonly images: ImageResolver;
  readonly addresses: Addresses;
  readonly records: ProcessRecords;
  readonly recorder: EventRecorder;
  readonly log: Log;
  /** Resolves when no process of a former cluster is left. */
  readonly reaped: Promise<void>;
  /** Aborts when the cluster ends. */
  readonly closing: AbortSignal;
  ownerOf(pod: Pod): Owner;
  /** Pods whose containers run and declare a port. */
  podsOfPort(port: number): string[];
}
