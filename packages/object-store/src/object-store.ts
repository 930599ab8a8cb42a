import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { KipError } from '@skipper/api';
import { Identities } from './auth/identities.ts';
import { Cors } from './http/cors.ts';
import { createHttpServer, type Extension } from './http/server.ts';
import { Storage } from './storage/storage.ts';

export interface ObjectStoreOptions {
  /** Everything is kept here; one store a folder. */
  dataDir: string;
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** The administrator. */
  credentials: { accessKey: string; secretKey: string };
  /** Web pages that may call, as `MINIO_API_CORS_ALLOW_ORIGIN` has them. Default: all; without a signature they can do nothing. */
  corsOrigins?: readonly string[];
  /** Served beside S3. */
  extensions?: readonly Extension[];
  log?: (message: string) => void;
}

export interface ObjectStore {
  /** For example `http://127.0.0.1:9000`. */
  endpoint: string;
  identities: Identities;
  /** Lets requests that run end, for a while. */
  close(): Promise<void>;
}

/** How long requests may still run once the store is to stop. */
const closeWithinMs = 10_000;

/** Serves S3 from a folder. @throws KipError `locked`, `damaged`, `disk-full`, `invalid`, `port-in-use` */
export async function startObjectStore(options: ObjectStoreOptions): Promise<ObjectStore> {
  const { dataDir, host, port, credentials, corsOrigins = ['*'], extensions = [], log = () => {} } = options;
  if (credentials.accessKey.length < 3 || credentials.secretKey.length < 8)
    throw new KipError(
      'invalid',
      'The administrator of an object store needs a name of at least 3 and a password of at least 8 characters.',
    );
  const storage = await Storage.open(dataDir, log);
  try {
    const identities = await Identities.open(join(dataDir, 'identities'), credentials);
    const server = createHttpServer({ storage, identities, cors: new Cors(corsOrigins), extensions, log });
    server.listen(port, host);
    await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') throw new KipError('port-in-use', `Port ${port} of ${host} is taken.`, { cause: error });
      throw error;
    });
    const address = server.address() as AddressInfo;
    return {
      endpoint: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      identities,
      close: async () => {
        const closed = once(server, 'close');
        server.close();
        server.closeIdleConnections();
        const timer = setTimeout(() => server.closeAllConnections(), closeWithinMs);
        await closed;
        clearTimeout(timer);
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
