import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { childNames, labels, serviceHost, type StatefulService } from '@skipper/api';
import { administrator, type Engine } from '@skipper/engines';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels } from './ownership.ts';

/** The Secret of a Provisioned Service: the keys of https://servicebinding.io/spec/core/1.1.0/#provisioned-service. */
export function credentialsSecret(service: StatefulService, engine: Engine, password: string): Secret {
  const name = nameOf(service);
  const namespace = namespaceOf(service);
  const connection = {
    host: serviceHost(name, namespace),
    port: engine.ports[0].port,
    username: administrator,
    password,
    database: engine.database,
  };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: childNames.credentials(name), namespace, labels: { ...childLabels(service), [labels.component]: 'credentials' } },
    type: `servicebinding.io/${engine.type}`,
    stringData: {
      type: engine.type,
      provider: 'skipper',
      host: connection.host,
      port: String(connection.port),
      username: connection.username,
      password,
      ...(connection.database === undefined ? {} : { database: connection.database }),
      uri: engine.uri(connection),
    },
  };
}

/** What keeps an existing Secret from being used, as a reason and a message; `undefined` when nothing does. */
export function credentialsProblem(
  service: StatefulService,
  engine: Engine,
  secret: Secret | undefined,
  hasClaim: boolean,
): { reason: string; message: string } | undefined {
  const name = childNames.credentials(nameOf(service));
  if (!secret) {
    if (!hasClaim) return undefined;
    return {
      reason: 'DataWithoutCredentials',
      message: `The volume claim "${childNames.claim(nameOf(service))}" holds data, but the Secret "${name}" with its password is gone. Restore the Secret from a backup, or delete the claim to start empty.`,
    };
  }
  const type = secret.metadata?.labels?.[labels.type];
  if (type !== service.spec.type)
    return {
      reason: 'OtherType',
      message: `The Secret "${name}" is left from a service of type ${type ?? 'unknown'}, not ${service.spec.type}. Delete it and its claim, or choose another name.`,
    };
  const missing = ['username', 'password', ...(engine.database === undefined ? [] : ['database'])].filter((key) => !secret.data?.[key]);
  if (missing.length > 0)
    return { reason: 'Incomplete', message: `The Secret "${name}" lacks ${missing.join(', ')}. Restore it from a backup.` };
  return undefined;
}
