import type { CustomResourceDefinition, JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';
import { customResourceDefinitions, KipError } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { ensure } from '../apply.ts';
import { covers } from '../covers.ts';
import { appCrd } from './app.ts';
import { statefulServiceCrd } from './stateful-service.ts';

/** Every kind that Skipper brings. */
export const crds: CustomResourceDefinition[] = [statefulServiceCrd, appCrd];

/** Validation rules in CEL are known to the API since this minor version; the functions on quantities since the second. https://kubernetes.io/docs/reference/using-api/cel/ */
const celSince = 25;
export const celQuantitiesSince = 29;

/**
 * Creates or updates the kinds, and waits until the server serves them. Rules that an older server cannot know are left out.
 * @returns the minor version of the server, 0 when it does not say.
 * @throws KipError `forbidden` when a kind is missing and may not be made.
 */
export async function applyCrds(client: KubeClient, log: (message: string) => void = () => undefined): Promise<{ serverMinor: number }> {
  const minor = await serverMinor(client);
  for (const crd of crds) {
    const name = crd.metadata?.name ?? '';
    const wanted = forServer(crd, minor);
    const current = await client.find(customResourceDefinitions, name).catch((error: unknown) => {
      if (hasReason(error, 'Forbidden')) return null;
      throw error;
    });
    if (current === null) {
      log(`may not read CustomResourceDefinitions; takes it that "${name}" is installed`);
      continue;
    }
    try {
      await ensure(client, customResourceDefinitions, current, wanted);
    } catch (error) {
      if (!hasReason(error, 'Forbidden')) throw error;
      if (!current)
        throw new KipError(
          'forbidden',
          `The kind "${name}" is not installed on ${client.server} and these credentials may not install it.`,
          {
            hint: `Let an administrator apply ${minor < celQuantitiesSince ? 'deploy/older/crds.yaml' : 'deploy/crds.yaml'}.`,
            cause: error,
          },
        );
      if (!covers(current, wanted)) log(`may not update the CustomResourceDefinition "${name}"; goes on with the one that is there`);
    }
    await untilServed(client, name);
  }
  return { serverMinor: minor };
}

async function serverMinor(client: KubeClient): Promise<number> {
  const { body } = await client.raw('GET', '/version');
  return Number.parseInt((JSON.parse(body) as { minor?: string }).minor ?? '', 10) || 0;
}

/** The definition without the rules that a server of this minor version cannot know. */
export function forServer(crd: CustomResourceDefinition, minor: number): CustomResourceDefinition {
  const copy = structuredClone(crd);
  for (const version of copy.spec.versions) if (version.schema?.openAPIV3Schema) dropRules(version.schema.openAPIV3Schema, minor);
  return copy;
}

function dropRules(schema: JSONSchemaProps, minor: number): void {
  const holder = schema as JSONSchemaProps & { 'x-kubernetes-validations'?: { rule: string }[] };
  const rules = holder['x-kubernetes-validations'];
  const kept = minor < celSince ? [] : rules?.filter(({ rule }) => minor >= celQuantitiesSince || !rule.includes('quantity('));
  if (kept?.length) holder['x-kubernetes-validations'] = kept;
  else delete holder['x-kubernetes-validations'];
  for (const property of Object.values(schema.properties ?? {})) dropRules(property, minor);
  if (schema.items && !Array.isArray(schema.items)) dropRules(schema.items as JSONSchemaProps, minor);
}

async function untilServed(client: KubeClient, name: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const crd = await client.find(customResourceDefinitions, name);
    const condition = (type: string) => crd?.status?.conditions?.find((candidate) => candidate.type === type);
    if (condition('Established')?.status === 'True') return;
    const refusal = condition('NamesAccepted');
    if (refusal?.status === 'False') throw new KipError('conflict', `The kind "${name}" cannot be served: ${refusal.message}`);
    if (Date.now() > deadline) throw new KipError('timeout', `The server did not begin to serve "${name}" within 30 s.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
