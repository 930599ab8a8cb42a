import type { ImageResolver, ServiceType } from '@skipper/api';
import type { Engine, ProcessHost } from './engine.ts';
import { minio } from './minio/definition.ts';
import { mongodb } from './mongodb/definition.ts';
import { mysql } from './mysql/definition.ts';
import { opensearch } from './opensearch/definition.ts';
import { postgres } from './postgres/definition.ts';
import { rabbitmq } from './rabbitmq/definition.ts';
import { redis } from './redis/definition.ts';

/** Every engine, by the type that names it. */
const catalog: Record<ServiceType, Engine> = { postgres, mysql, mongodb, redis, rabbitmq, opensearch, minio };

export const engines: readonly Engine[] = Object.values(catalog);

/** What is known of a type. `undefined` for a word that is none, which an object may hold where the cluster does not validate it. */
export function findEngine(type: string): Engine | undefined {
  return Object.hasOwn(catalog, type) ? catalog[type as ServiceType] : undefined;
}

export function engineOf(type: ServiceType): Engine {
  return catalog[type];
}

function engineOfImage(image: string): { engine: Engine; version: string } | undefined {
  for (const engine of engines) {
    const version = engine.versionOf(image);
    if (version !== undefined && engine.refuses(version) === undefined) return { engine, version };
  }
  return undefined;
}

/** What the embedded cluster runs for an image: the engine's own process for images of the catalog's repositories. */
export function createImageResolver(host: ProcessHost): ImageResolver {
  return (image) => {
    const found = engineOfImage(image);
    return found?.engine.process(found.version, host);
  };
}

/** Whether the embedded cluster runs an image without being given a command. */
export const isEngineImage = (image: string): boolean => engineOfImage(image) !== undefined;
