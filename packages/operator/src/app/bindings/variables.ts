import { serviceHost } from '@skipper/api';
import type { Engine } from '@skipper/engines';

export interface VariablesInput {
  engine: Engine;
  namespace: string;
  service: string;
  prefix: string;
  database: string;
  username: string;
  password: string;
}

/** What the app finds in its environment. */
export function variablesOf({ engine, namespace, service, prefix, database, username, password }: VariablesInput): Record<string, string> {
  const connection = { host: serviceHost(service, namespace), port: engine.ports[0].port, username, password, database };
  const parts: Record<string, string> = {
    HOST: connection.host,
    PORT: String(connection.port),
    USERNAME: username,
    PASSWORD: password,
    URL: engine.uri(connection),
    ...engine.binding.variables(connection),
  };
  return Object.fromEntries(Object.entries(parts).map(([part, value]) => [`${prefix}_${part}`, value]));
}

/** The names of those that two of a list's entries would set, with the two. */
export interface Collision {
  names: string[];
  between: [string, string];
}

/** @param sets what each source of variables sets, by what it is called in a message */
export function collisionsOf(sets: readonly { source: string; names: readonly string[] }[]): Collision[] {
  return sets.flatMap((one, index) =>
    sets.slice(index + 1).flatMap((other): Collision[] => {
      const names = one.names.filter((name) => other.names.includes(name));
      return names.length > 0 ? [{ names, between: [one.source, other.source] }] : [];
    }),
  );
}
