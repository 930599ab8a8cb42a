import { apps, statefulServices, type App } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { inApplyOrder, normalForm, type Managed } from '../manifests/normal-form.ts';
import type { ScopeOptions } from '../options.ts';
import { note, print } from '../output.ts';
import { describeScope, scopeOfOptions } from '../services.ts';
import { withCluster } from '../target-cluster.ts';

export interface ExportOptions extends ScopeOptions {
  output: 'yaml' | 'json';
}

/** `kip export` */
export async function exportManifests(options: ExportOptions): Promise<void> {
  const scope = scopeOfOptions(options);
  await withCluster(options, async ({ client }) => {
    const none = (error: unknown): { items: [] } => {
      if (hasReason(error, 'NotFound')) return { items: [] };
      throw error;
    };
    const found: Managed[] = [
      ...(await client.list(statefulServices, { namespace: scope.namespace }).catch(none)).items,
      ...(await client.list(apps, { namespace: scope.namespace }).catch(none)).items,
    ].filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    // Without a namespace, so that they can be applied to another environment.
    const manifests = inApplyOrder(found).map((object) => normalForm(object, { namespace: false }));
    if (manifests.length === 0) note(`There are no services or apps in ${describeScope(scope)}.`);
    if (options.output === 'json') print(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, undefined, 2));
    else {
      const { stringify } = await import('yaml');
      // No line is folded: a value stays in one piece for search and review.
      process.stdout.write(manifests.map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n'));
    }
    const secret = manifests.flatMap((manifest) => (manifest.kind === apps.kind ? secretLike(manifest as App) : []));
    if (secret.length > 0)
      note(`  These variables stand there with their values: ${secret.join(', ')}. What is secret belongs in a Secret; see docs/apps.md.`);
  });
}

/** Variables whose names sound as if their values were secret. */
function secretLike({ metadata, spec }: App): string[] {
  return (spec.env ?? [])
    .filter(({ name, value }) => value && /PASSW|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE/i.test(name))
    .map(({ name }) => `${metadata!.name}'s ${name}`);
}
