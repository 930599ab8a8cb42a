import { administrator, type Connection } from '../engine.ts';

export const defaultDatabase = 'app';

/** Where an account was made: the administrator in `admin`, those of apps in their own databases. */
export function authenticationDatabase(username: string, database: string): string {
  return username === administrator ? 'admin' : database;
}

/** https://www.mongodb.com/docs/manual/reference/connection-string/ */
export function mongodbUri({ host, port, username, password, database = defaultDatabase }: Connection): string {
  const credentials = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
  const authSource = encodeURIComponent(authenticationDatabase(username, database));
  return `mongodb://${credentials}@${host}:${port}/${encodeURIComponent(database)}?authSource=${authSource}`;
}
