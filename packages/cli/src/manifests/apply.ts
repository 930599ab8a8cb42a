import { apps, statefulServices, type KubeObject, type ResourceType } from '@skipper/api';
import { hasReason, KubeError, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../field-manager.ts';
import { differences, normalForm, type Managed } from './normal-form.ts';
import { takeOver, withoutDropped } from './take-over.ts';

export interface Applied {
  kind: string;
  name: string;
  namespace: string;
  change: 'created' | 'changed' | 'unchanged';
  /** What changed, as deep as `spec.image`. */
  fields: string[];
}

const typeOf = ({ kind }: Managed): ResourceType<Managed> =>
  (kind === apps.kind ? apps : statefulServices) as ResourceType<KubeObject> as ResourceType<Managed>;

/** Asks the server what it would say. @returns what would change, or the server's complaint. */
export async function foretell(client: KubeClient, object: Managed, namespaceExists: boolean): Promise<Applied | { problem: string }> {
  const type = typeOf(object);
  const { name, namespace } = object.metadata!;
  const dryRun = { fieldManager, dryRun: true };
  try {
    if (!namespaceExists) {
      // Nothing can be tried in a namespace that is not there; its name has been looked at already.
      await client.create(type, { ...object, metadata: { generateName: 'kip-check-', namespace: 'default' } }, dryRun);
      return outcome(object, undefined, undefined);
    }
    const before = await client.find(type, name!, { namespace: namespace! });
    const after = await client.apply(type, object, { ...dryRun, force: true });
    if (!before) return outcome(object, undefined, after);
    const spec = withoutDropped(after.spec, object.spec, before.metadata?.managedFields ?? []);
    return outcome(object, before, { ...after, spec } as Managed);
  } catch (error) {
    if (!(error instanceof KubeError) || !hasReason(error, 'Invalid', 'BadRequest')) throw error;
    return { problem: error.message };
  }
}

/** Server-side apply, for which kip takes over what its other commands wrote. */
export async function apply(client: KubeClient, object: Managed): Promise<Applied> {
  const type = typeOf(object);
  const { name, namespace } = object.metadata!;
  const before = await client.find(type, name!, { namespace: namespace! });
  if (before) await takeOver(client, type, before);
  return outcome(object, before, await client.apply(type, object, { fieldManager, force: true }));
}

function outcome(object: Managed, before: Managed | undefined, after: Managed | undefined): Applied {
  const { name, namespace } = object.metadata!;
  const form = (one: Managed): Managed => normalForm({ ...one, kind: object.kind! } as Managed, { namespace: false });
  const fields = before && after ? differences(form(before), form(after)) : [];
  const change = before ? (fields.length > 0 ? 'changed' : 'unchanged') : 'created';
  return { kind: object.kind!, name: name!, namespace: namespace!, change, fields };
}
