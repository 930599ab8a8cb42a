import type { ServiceType } from '@skipper/api';
import type { Driver } from './drivers/driver.ts';
import { postgresDriver } from './drivers/postgres.ts';
import { redisDriver } from './drivers/redis.ts';

export const drivers: Partial<Record<ServiceType, Driver>> = { postgres: postgresDriver, redis: redisDriver };
