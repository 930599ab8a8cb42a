import { secrets, type App, type AppBinding, type StatefulService } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';

const nowhere = { host: '', port: 0, username: '', password: '', database: '' };

/** Names of the variables that a binding gives to an app. */
export function bindingVariableNames(service: StatefulService, { prefix }: Pick<AppBinding, 'prefix'>): string[] {
  const { binding } = engineOf(service.spec.type);
  const parts = ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'URL', ...Object.keys(binding.variables(nowhere))];
  return [...new Set(parts)].map((part) => `${prefix ?? binding.prefix}_${part}`);
}

/** The variables of one binding, as the operator wrote them; empty until it did. */
export async function bindingVariables(client: KubeClient, app: App, service: string): Promise<Record<string, string>> {
  const name = app.status?.bindings?.find((binding) => binding.service === service)?.secret;
  const secret = name === undefined ? undefined : await client.find(secrets, name, { namespace: app.metadata!.namespace! });
  return Object.fromEntries(
    Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')] as const),
  );
}

/** In place of a secret. Says nothing of its length. */
export const masked = '********';
