import { KipError } from '@skipper/api';
import type { ObjectStoreOptions } from './object-store.ts';

/** Takes a store's settings from its environment, where they are named as MinIO's. @throws KipError `invalid` */
export function settingsFromEnvironment(env: NodeJS.ProcessEnv): Omit<ObjectStoreOptions, 'log' | 'extensions'> {
  const required = (name: string): string => {
    const value = env[name];
    if (!value) throw new KipError('invalid', `The environment variable ${name} is not set.`);
    return value;
  };
  const [host, port] = splitAddress(env['MINIO_ADDRESS'] ?? ':9000');
  return {
    dataDir: required('MINIO_VOLUMES'),
    host,
    port,
    credentials: { accessKey: required('MINIO_ROOT_USER'), secretKey: required('MINIO_ROOT_PASSWORD') },
    corsOrigins: env['MINIO_API_CORS_ALLOW_ORIGIN']?.split(',').map((origin) => origin.trim()),
  };
}

/** `127.0.0.1:9000`, `[::1]:9000` or `:9000`; without a host all addresses. */
function splitAddress(address: string): [host: string, port: number] {
  const match = /^(?:\[([0-9a-f:]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new KipError('invalid', `MINIO_ADDRESS ${JSON.stringify(address)} is not an address with a port.`);
  return [match[1] ?? (match[2] || '0.0.0.0'), port];
}
