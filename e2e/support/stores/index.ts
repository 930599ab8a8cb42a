import type { ServiceType } from '@skipper/api';
import type { Store } from './store.ts';

/** The stores by type of service. A new engine adds a file and a line. */
export const stores: Record<ServiceType, () => Promise<{ store: Store }>> = {
  postgres: () => import('./postgres.ts'),
  mysql: () => import('./mysql.ts'),
  mongodb: () => import('./mongodb.ts'),
  redis: () => import('./redis.ts'),
  rabbitmq: () => import('./rabbitmq.ts'),
  opensearch: () => import('./opensearch.ts'),
  minio: () => import('./minio.ts'),
};
