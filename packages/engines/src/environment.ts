import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';
import type { EngineContext } from './engine.ts';

/** A container's variable that takes one key of the service's credentials, so that the value stands in no pod and no argument list. */
export function fromCredentials(name: string, key: 'username' | 'password' | 'database', context: EngineContext): EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: context.credentialsSecret, key } } };
}
