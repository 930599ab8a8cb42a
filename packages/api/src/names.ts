import { KipError } from './errors.ts';

/** The longest namespace: an RFC 1123 label. */
const namespaceLimit = 63;
/**
 * The longest service name. A StatefulSet's pods carry the label `controller-revision-hash: <name>-<hash of up to 10>`,
 * and a label's value ends at 63 characters; a longer name makes pods that can never be created.
 */
export const serviceNameLimit = 52;

const rfc1123Label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const rfc1035Label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

function requireLabel(what: string, value: string, limit: number, pattern: RegExp, rule: string): void {
  if (value.length > limit) {
    throw new KipError('usage', `${what} "${value}" has ${value.length} characters; at most ${limit} are possible.`, {
      hint: 'Choose a shorter name.',
    });
  }
  if (!pattern.test(value)) {
    throw new KipError('usage', `${what} "${value}" is not valid.`, { hint: rule });
  }
}

/**
 * Throws unless `name` can name a service and everything made for it. A Service's name is a DNS label that starts with a letter.
 * @throws KipError `usage`
 */
export function requireServiceName(name: string): void {
  requireLabel(
    'The service name',
    name,
    serviceNameLimit,
    rfc1035Label,
    'Use lower-case letters, digits and "-"; start with a letter and end with a letter or digit.',
  );
}

/** The namespace of a project and environment; `default` when there is no project. */
export interface Scope {
  project: string;
  environment: string | undefined;
  namespace: string;
}

/**
 * @throws KipError `usage` for names that are not RFC 1123 labels or too long together.
 */
export function scopeOf(project: string | undefined, environment: string | undefined): Scope {
  const rule = 'Use lower-case letters, digits and "-"; start and end with a letter or digit.';
  const chosen = project ?? 'default';
  requireLabel('The project name', chosen, namespaceLimit, rfc1123Label, rule);
  if (environment === undefined) return { project: chosen, environment, namespace: chosen };
  requireLabel('The environment name', environment, namespaceLimit, rfc1123Label, rule);
  const namespace = `${chosen}-${environment}`;
  if (namespace.length > namespaceLimit) {
    throw new KipError(
      'usage',
      `Project "${chosen}" and environment "${environment}" together make a name of ${namespace.length} characters; at most ${namespaceLimit} are possible.`,
      {
        hint: 'Choose a shorter project or environment name.',
      },
    );
  }
  return { project: chosen, environment, namespace };
}

/**
 * The longest app name. A Deployment's pods are named `<name>-<hash of up to 10>-<5>`, and a pod's name is its host name: a
 * label of at most 63 characters.
 */
export const appNameLimit = 46;

/**
 * Throws unless `name` can name an app and everything made for it.
 * @throws KipError `usage`
 */
export function requireAppName(name: string): void {
  requireLabel(
    'The app name',
    name,
    appNameLimit,
    rfc1035Label,
    'Use lower-case letters, digits and "-"; start with a letter and end with a letter or digit.',
  );
}

/** Names of the objects of a service. */
export const childNames = {
  statefulSet: (service: string): string => service,
  headlessService: (service: string): string => service,
  pod: (service: string): string => `${service}-0`,
  claim: (service: string): string => `data-${service}-0`,
  credentials: (service: string): string => `${service}-credentials`,
  networkPolicy: (service: string): string => service,
} as const;

/** Names of the objects of an app. */
export const appChildNames = {
  deployment: (app: string): string => app,
  service: (app: string): string => app,
  ingress: (app: string): string => app,
  /** The Secret with the variables of a binding. */
  binding: (app: string, service: string): string => `${app}-${service}-binding`,
} as const;

/** What belongs to an app alone within a service it is bound to, where nothing else was asked for: `domain_service_test`. */
export function appDatabaseName(app: string, environment: string | undefined): string {
  return [app, ...(environment === undefined ? [] : [environment])].join('_').replaceAll('-', '_');
}

/** The DNS name of a service inside the cluster. */
export function serviceHost(service: string, namespace: string): string {
  return `${service}.${namespace}.svc.cluster.local`;
}
