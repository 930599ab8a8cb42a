import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { appChildNames, labels, managedBy, type KubeObject } from '@skipper/api';

/** Keeps the Secret of a binding until the account it tells of is gone. */
export const accountFinalizer = 'skipper.dev/account';
/** The component that tells these Secrets from the credentials of services. */
const component = 'binding';
const recordAnnotation = 'skipper.dev/binding';

/** What the operator notes on a binding's Secret, so that it can be taken up wherever it was left. */
export interface BindingRecord {
  /** The app's own part, noted before the account is made: what there may be to revoke. */
  database?: string;
  /** The part that the binding named when `database` was chosen. */
  asked?: string;
  /** Prefix of the variables in the Secret. */
  prefix?: string;
  /** What the last login was made with, and where. */
  verified?: string;
  /** Digest of the variables that have been seen to work: only then is the app given them. */
  given?: string;
}

export function recordOf(secret: Secret | undefined): BindingRecord {
  try {
    const record: unknown = JSON.parse(secret?.metadata?.annotations?.[recordAnnotation] ?? '{}');
    return typeof record === 'object' && record !== null ? record : {};
  } catch {
    // Edited by hand: everything is found out anew.
    return {};
  }
}

export function recordAnnotations(record: BindingRecord): Record<string, string> {
  return { [recordAnnotation]: JSON.stringify(record) };
}

/** No owner reference: the Secret remembers an account that there still is when the app is gone. */
export function bindingSecret(
  binding: { namespace: string; app: string; service: string },
  variables: Record<string, string>,
  record: BindingRecord,
): Secret {
  const { namespace, app, service } = binding;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: appChildNames.binding(app, service),
      namespace,
      labels: {
        [labels.name]: app,
        [labels.instance]: app,
        [labels.component]: component,
        [labels.partOf]: managedBy,
        [labels.managedBy]: managedBy,
        [labels.app]: app,
        [labels.service]: service,
      },
      annotations: recordAnnotations(record),
      finalizers: [accountFinalizer],
    },
    type: 'skipper.dev/binding',
    data: encoded(variables),
  };
}

/** Of which binding this is the Secret; `undefined` of none. */
export function bindingOf(object: KubeObject): { app: string; service: string } | undefined {
  const own = object.metadata?.labels;
  const [app, service] = [own?.[labels.app], own?.[labels.service]];
  if (own?.[labels.managedBy] !== managedBy || own[labels.component] !== component || !app || !service) return undefined;
  return { app, service };
}

export function isBindingSecret(secret: Secret, app: string, service: string): boolean {
  const binding = bindingOf(secret);
  return binding?.app === app && binding.service === service;
}

/** The password as it stands in the Secret; `undefined` when there is none that can be used. */
export function passwordIn(secret: Secret, prefix: string | undefined): string | undefined {
  const data = secret.data ?? {};
  const key = [`${prefix}_PASSWORD`, ...Object.keys(data).filter((name) => name.endsWith('_PASSWORD'))].find((name) => data[name]);
  return key === undefined ? undefined : Buffer.from(data[key]!, 'base64').toString();
}

function encoded(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
}

/** As a merge patch has it: what is too much is named as null. */
export function encodedChange(secret: Secret, variables: Record<string, string>): Record<string, string | null> {
  return { ...Object.fromEntries(Object.keys(secret.data ?? {}).map((name) => [name, null])), ...encoded(variables) };
}

/** Whether the Secret says exactly this. */
export function carries(secret: Secret, variables: Record<string, string>, record: BindingRecord): boolean {
  return isDeepStrictEqual(secret.data ?? {}, encoded(variables)) && isDeepStrictEqual(recordOf(secret), record);
}

export function digestOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
