import { secrets } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { configMaps } from '../kinds.ts';

/** What a Secret or a ConfigMap holds. */
export type Values = Readonly<Record<string, Buffer>>;

/** Secrets and config maps by name, each fetched once for one start of a container. `undefined` when there is none. */
export interface References {
  secret(name: string): Promise<Values | undefined>;
  configMap(name: string): Promise<Values | undefined>;
}

export function referencesOf(client: KubeClient, namespace: string): References {
  return {
    secret: once(async (name) => {
      const object = await client.find(secrets, name, { namespace });
      return object && decoded(object.data, 'base64');
    }),
    configMap: once(async (name) => {
      const object = await client.find(configMaps, name, { namespace });
      return object && { ...decoded(object.data, 'utf8'), ...decoded(object.binaryData, 'base64') };
    }),
  };
}

function decoded(data: Record<string, string> = {}, encoding: BufferEncoding): Values {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, encoding)]));
}

function once<T>(fetch: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (name) => {
    const found = known.get(name) ?? fetch(name);
    known.set(name, found);
    return found;
  };
}
