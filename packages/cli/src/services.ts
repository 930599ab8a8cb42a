import {
  conditionTypes,
  findCondition,
  KipError,
  labels,
  requireServiceName,
  scopeOf,
  secrets,
  statefulServices,
  type Scope,
  type StatefulService,
} from '@skipper/api';
import { engineOf, type Connection } from '@skipper/engines';
import type { KubeClient } from '@skipper/kube';
import type { ScopeOptions } from './options.ts';
import { printable } from './output.ts';
import { stateOf } from './reporting.ts';

/** The project and environment of a command. */
export function scopeOfOptions({ project, environment }: ScopeOptions): Scope {
  return scopeOf(project, environment);
}

/** @throws KipError `not-found` that says where was looked. */
export async function requireService(client: KubeClient, name: string, scope: Scope): Promise<StatefulService> {
  requireServiceName(name);
  const service = await client.find(statefulServices, name, { namespace: scope.namespace });
  if (service) return service;
  const elsewhere = (await client.list(statefulServices, {}).catch(() => ({ items: [] }))).items.filter(
    ({ metadata }) => metadata?.name === name,
  );
  const hint =
    elsewhere.length > 0
      ? `There is one in ${elsewhere.map(({ metadata }) => metadata!.namespace).join(', ')}; name it with --project and --environment.`
      : '"kip service list --all" shows every service.';
  throw new KipError('not-found', `There is no service "${name}" in ${describeScope(scope)}.`, { hint });
}

export function describeScope({ project, environment }: Scope): string {
  return environment === undefined ? `project "${project}"` : `project "${project}", environment "${environment}"`;
}

/** A command as it is to be typed to mean this project and environment. */
export function inScope(command: string, { project = 'default', environment }: ScopeOptions | Scope): string {
  return `${command}${project === 'default' ? '' : ` --project ${project}`}${environment === undefined ? '' : ` --environment ${environment}`}`;
}

/** @throws KipError `not-found` while the credentials have not been made. */
export async function connectionOf(client: KubeClient, service: StatefulService, scope: Scope): Promise<Connection> {
  const { name, namespace } = service.metadata!;
  const secret =
    service.status?.binding?.name === undefined
      ? undefined
      : await client.find(secrets, service.status.binding.name, { namespace: namespace! });
  if (!secret?.data) {
    const why = findCondition(service.status?.conditions, conditionTypes.ready)?.message;
    throw new KipError('not-found', `Service "${name}" has no connection details yet${why ? `: ${why}` : '.'}`, {
      hint: `Wait until "${inScope('kip service list', scope)}" shows it running.`,
    });
  }
  const value = (key: string): string => Buffer.from(secret.data![key] ?? '', 'base64').toString();
  return {
    host: value('host'),
    port: Number(value('port')),
    username: value('username'),
    password: value('password'),
    ...(secret.data['database'] ? { database: value('database') } : {}),
  };
}

/** What `kip service info` shows, for programs. @param program what stands in for the engine. */
export function serviceDetails(service: StatefulService, connection: Connection, scope: Scope, program: string | undefined): object {
  const engine = engineOf(service.spec.type);
  return {
    ...summaryOf(service, scope),
    ...connection,
    uri: engine.uri(connection),
    ...Object.fromEntries((engine.details?.(connection) ?? []).map(({ label, value }) => [label.toLowerCase(), value])),
    ...(program && { program }),
  };
}

function connectionLines(service: StatefulService, connection: Connection): { label: string; value: string }[] {
  return [
    { label: 'Host', value: connection.host },
    { label: 'Port', value: String(connection.port) },
    { label: 'Username', value: connection.username },
    { label: 'Password', value: connection.password },
    ...(connection.database === undefined ? [] : [{ label: 'Database', value: connection.database }]),
    ...(engineOf(service.spec.type).details?.(connection) ?? []),
  ];
}

/** What `kip service info` shows, for people. */
export function connectionText(service: StatefulService, connection: Connection): string {
  return connectionLines(service, connection)
    .map(({ label, value }) => `  ${`${label}:`.padEnd(9)} ${printable(value)}`)
    .join('\n');
}

export interface ServiceSummary {
  name: string;
  project: string;
  environment: string | undefined;
  namespace: string;
  type: string;
  version: string | undefined;
  status: string;
  ready: string;
  storage: string;
  message: string | undefined;
}

/** One service as lists show it. */
export function summaryOf(service: StatefulService, scope?: { project: string; environment: string | undefined }): ServiceSummary {
  const { name = '', namespace = '' } = service.metadata ?? {};
  const { word, isReady, message } = stateOf(service);
  return {
    name,
    namespace,
    project: scope?.project ?? namespace,
    environment: scope?.environment,
    type: service.spec.type,
    version: service.spec.version,
    status: word,
    ready: isReady ? '1/1' : '0/1',
    storage: service.spec.storage ?? engineOf(service.spec.type).defaultStorage,
    message,
  };
}

/** Project and environment of a namespace, by its labels. */
export function scopeOfLabels(
  name: string,
  namespaceLabels: Record<string, string> = {},
): { project: string; environment: string | undefined } {
  return { project: namespaceLabels[labels.project] ?? name, environment: namespaceLabels[labels.environment] || undefined };
}
