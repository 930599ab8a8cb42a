import { KipError, labels, namespaces, type Scope } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Namespace } from 'kubernetes-types/core/v1.d.ts';
import { fieldManager } from './field-manager.ts';

/** @returns null for who may not look: they are told by what they do in it whether it is there. */
export async function findNamespace(client: KubeClient, name: string): Promise<Namespace | undefined | null> {
  return await client.find(namespaces, name).catch((error: unknown) => {
    if (hasReason(error, 'Forbidden')) return null;
    throw error;
  });
}

/**
 * Makes the namespace of a project and environment, or marks the one that is there.
 * @throws KipError `not-ours` when it belongs to others.
 */
export async function ensureNamespace(client: KubeClient, { namespace, project, environment }: Scope): Promise<void> {
  const wanted = { [labels.project]: project, ...(environment === undefined ? {} : { [labels.environment]: environment }) };
  const check = (found: Record<string, string> | undefined): void => {
    const other = found?.[labels.project];
    if (other === undefined || (other === project && (found?.[labels.environment] || undefined) === environment)) return;
    const theirs = found?.[labels.environment];
    throw new KipError('not-ours', `Namespace "${namespace}" belongs to project "${other}"${theirs ? `, environment "${theirs}"` : ''}.`, {
      hint: 'Choose another --project or --environment: together they must name a namespace of their own.',
    });
  };
  const current = await findNamespace(client, namespace);
  if (current === null) return;
  if (!current) {
    await client.create(namespaces, { metadata: { name: namespace, labels: wanted } }, { fieldManager }).catch(async (error: unknown) => {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      check((await client.get(namespaces, namespace)).metadata?.labels);
    });
    return;
  }
  check(current.metadata?.labels);
  if (current.metadata?.deletionTimestamp)
    throw new KipError('conflict', `Namespace "${namespace}" is being deleted.`, { hint: 'Try again when it is gone.' });
  // A namespace that was there before is marked as this project's, where that is allowed; it works without.
  if (current.metadata?.labels?.[labels.project] === undefined) {
    await client.patch(namespaces, namespace, { metadata: { labels: wanted } }, { fieldManager }).catch((error: unknown) => {
      if (!hasReason(error, 'Forbidden')) throw error;
    });
  }
}
