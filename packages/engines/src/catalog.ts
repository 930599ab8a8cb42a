import { KipError, type ImageResolver, type ServiceType } from '@skipper/api';
import type { Engine, ProcessHost } from './engine.ts';
import { minio } from './minio/definition.ts';
import { mongodb } from './mongodb/definition.ts';
import { mysql } from './mysql/definition.ts';
import { opensearch } from './opensearch/definition.ts';
import { postgres } from './postgres/definition.ts';
import { rabbitmq } from './rabbitmq/definition.ts';
import { redis } from './redis/definition.ts';

/** Every engine that can be had, by the type that names it. */
const catalog: Partial<Record<ServiceType, Engine>> = { postgres, mysql, mongodb, redis, rabbitmq, opensearch, minio };

export const engines: readonly Engine[] = Object.values(catalog);

/** @throws KipError `unsupported` for a type that is not built yet. */
export function engineOf(type: ServiceType): Engine {
  const engine = catalog[type];
  if (engine) return engine;
  throw new KipError('unsupported', `Services of type "${type}" cannot be made by this version of Skipper.`, {
    hint: `It can make: ${Object.keys(catalog).join(', ')}.`,
  });
}

/** What the embedded cluster runs for an image: the engine's own process for images of the catalog's repositories. */
export function createImageResolver(host: ProcessHost): ImageResolver {
  return (image) => {
    for (const engine of engines) {
      const version = engine.versionOf(image);
      if (version !== undefined && engine.refuses(version) === undefined) return engine.process(version, host);
    }
    return undefined;
  };
}
