import { createHash } from 'node:crypto';
import { annotations, type KubeObject, type ResourceType } from '@skipper/api';
import { hasReason, isNamespaceTerminating, type KubeClient } from '@skipper/kube';
import { covers } from './covers.ts';

/** The one field manager of the operator. */
export const fieldManager = 'skipper-operator';

/**
 * Makes `wanted` so by server-side apply, unless `current` already has it all: fields that others set stay theirs, edits of ours
 * are reverted, and fields that we no longer set are taken back.
 * @param current what stands there, known to be ours; undefined when nothing does.
 * @returns whether anything was written.
 */
export async function ensure<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  current: T | undefined,
  wanted: T,
): Promise<boolean> {
  const digest = createHash('sha256').update(JSON.stringify(wanted)).digest('hex').slice(0, 16);
  const { metadata } = wanted;
  const marked: T = { ...wanted, metadata: { ...metadata, annotations: { ...metadata?.annotations, [annotations.applied]: digest } } };
  if (current && covers(current, marked)) return false;
  // With the uid the server refuses when another object has taken the name meanwhile; without force it does so on creation.
  const exact: T = current ? { ...marked, metadata: { ...marked.metadata, uid: current.metadata?.uid } } : marked;
  await client.apply(type, exact, { fieldManager, force: current !== undefined });
  return true;
}

/** What the server has against a request that will fare no better until somebody changes something; `undefined` of any other failure. */
export function rejectionOf(error: unknown): string | undefined {
  return hasReason(error, 'Invalid', 'Forbidden') && !isNamespaceTerminating(error) ? error.message : undefined;
}
