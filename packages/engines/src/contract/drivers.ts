import type { ServiceType } from '@skipper/api';
import type { Driver } from './drivers/driver.ts';
import { minioDriver } from './drivers/minio.ts';
import { mongodbDriver } from './drivers/mongodb.ts';
import { mysqlDriver } from './drivers/mysql.ts';
import { opensearchDriver } from './drivers/opensearch.ts';
import { postgresDriver } from './drivers/postgres.ts';
import { rabbitmqDriver } from './drivers/rabbitmq.ts';
import { redisDriver } from './drivers/redis.ts';

export const drivers: Partial<Record<ServiceType, Driver>> = {
  minio: minioDriver,
  mongodb: mongodbDriver,
  mysql: mysqlDriver,
  opensearch: opensearchDriver,
  postgres: postgresDriver,
  rabbitmq: rabbitmqDriver,
  redis: redisDriver,
};
