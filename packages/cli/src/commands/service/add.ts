import {
  KipError,
  labels,
  leases,
  namespaces,
  requirePositiveQuantity,
  requireServiceName,
  serviceTypes,
  statefulServices,
  customResourceDefinitions,
  type Scope,
  type ServiceType,
  type StatefulService,
} from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { hasReason, type KubeClient } from '@skipper/kube';
import { note, print, printData } from '../../output.ts';
import type { OutputOptions, ScopeOptions } from '../../program.ts';
import { connectionLines, connectionOf, connectionText, scopeOfOptions } from '../../services.ts';
import { withCluster, type Target } from '../../target-cluster.ts';
import { isServiceReady, waitForService } from '../../wait.ts';

export interface AddOptions extends ScopeOptions, OutputOptions {
  name?: string;
  storage?: string;
  version?: string;
  cpu?: string;
  memory?: string;
  storageClass?: string;
  wait: boolean;
  timeout: number;
}

const fieldManager = 'skipper-cli';

/** `kip service add` */
export async function addService(type: string, options: AddOptions): Promise<void> {
  // Everything that can be wrong is found before anything is made.
  const service = serviceOf(type, options);
  const scope = scopeOfOptions(options);
  await withCluster(options, async (target) => {
    await create(target, service, scope);
    if (!options.wait) {
      if (!(await printData(options, { name: options.name, namespace: scope.namespace, type })))
        note(`Service "${options.name}" is being made; "kip service list" shows how it goes.`);
      return;
    }
    await showWhenReady(target.client, service.metadata!.name!, scope, options);
  });
}

/** Waits until a service is ready, then shows its connection details. */
export async function showWhenReady(
  client: KubeClient,
  name: string,
  scope: Scope,
  options: OutputOptions & { timeout: number },
): Promise<void> {
  const ready = (await waitForService(client, name, scope.namespace, options.timeout, isServiceReady))!;
  const connection = await connectionOf(client, ready);
  const data = Object.fromEntries(
    connectionLines(ready, connection).map(({ label, value }) => [label.toLowerCase(), label === 'Port' ? Number(value) : value]),
  );
  if (!(await printData(options, { name, namespace: scope.namespace, type: ready.spec.type, ...data })))
    print(connectionText(ready, connection));
}

function serviceOf(type: string, options: AddOptions): StatefulService {
  if (!(serviceTypes as readonly string[]).includes(type)) {
    throw new KipError('usage', `"${type}" is no type of service.`, { hint: `Choose one of: ${serviceTypes.join(', ')}.` });
  }
  if (options.name === undefined)
    throw new KipError('usage', 'The service needs a name.', {
      hint: `kip service add ${type} --name my${type === 'postgres' ? 'db' : type}`,
    });
  requireServiceName(options.name);
  const engine = engineOf(type as ServiceType);
  const refused = options.version === undefined ? undefined : engine.refuses(options.version);
  if (refused) throw new KipError('usage', refused);
  for (const [flag, value, example] of [
    ['--storage', options.storage, '5Gi'],
    ['--cpu', options.cpu, '500m'],
    ['--memory', options.memory, '512Mi'],
  ] as const)
    if (value !== undefined) requirePositiveQuantity(flag, value, example);
  const amounts = {
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
  };
  return {
    metadata: { name: options.name },
    spec: {
      type: type as ServiceType,
      version: options.version ?? engine.defaultVersion,
      storage: options.storage ?? engine.defaultStorage,
      ...(Object.keys(amounts).length > 0 ? { resources: { requests: amounts, limits: amounts } } : {}),
      ...(options.storageClass === undefined ? {} : { storageClassName: options.storageClass }),
    },
  };
}

async function create({ client, name: cluster }: Target, service: StatefulService, scope: Scope): Promise<void> {
  await requireOperator(client, cluster);
  const { name } = service.metadata!;
  if (await client.find(statefulServices, name!, { namespace: scope.namespace })) throw existing(name!, scope);
  await ensureNamespace(client, scope);
  const object = { ...service, metadata: { ...service.metadata, namespace: scope.namespace } };
  await client.create(statefulServices, object, { fieldManager }).catch((error: unknown) => {
    throw hasReason(error, 'AlreadyExists') ? existing(name!, scope) : error;
  });
}

function existing(name: string, scope: Scope): KipError {
  return new KipError('already-exists', `There is a service "${name}" in ${scope.namespace} already.`, {
    hint: `"kip service info ${name}" shows how to connect to it; choose another --name for a new one.`,
  });
}

/** Without an operator the wish would stand there and nothing would happen. */
async function requireOperator(client: KubeClient, cluster: string): Promise<void> {
  const missing = (): KipError =>
    new KipError('no-operator', `No operator looks after services on ${cluster}.`, {
      hint: 'Install it with "kubectl apply -f deploy/", or run "kip operator" in another terminal.',
    });
  try {
    if (!(await client.find(customResourceDefinitions, 'statefulservices.skipper.dev'))) throw missing();
    const lease = await client.find(leases, 'skipper-operator', { namespace: 'skipper-system' });
    const { renewTime, leaseDurationSeconds = 15, holderIdentity } = lease?.spec ?? {};
    // A machine's clock may be wrong by minutes; a lease that old is nobody's.
    const age = Date.now() - Date.parse(String(renewTime ?? 0));
    if (!lease || !holderIdentity || age > leaseDurationSeconds * 1000 + 120_000) throw missing();
  } catch (error) {
    // Who may not look is given the benefit of the doubt.
    if (!hasReason(error, 'Forbidden')) throw error;
  }
}

async function ensureNamespace(client: KubeClient, { namespace, project, environment }: Scope): Promise<void> {
  const wanted = { [labels.project]: project, ...(environment === undefined ? {} : { [labels.environment]: environment }) };
  const check = (found: Record<string, string> | undefined): void => {
    const other = found?.[labels.project];
    if (other === undefined || (other === project && (found?.[labels.environment] || undefined) === environment)) return;
    const theirs = found?.[labels.environment];
    throw new KipError('not-ours', `Namespace "${namespace}" belongs to project "${other}"${theirs ? `, environment "${theirs}"` : ''}.`, {
      hint: 'Choose another --project or --environment: together they must name a namespace of their own.',
    });
  };
  const current = await client.find(namespaces, namespace).catch((error: unknown) => {
    if (hasReason(error, 'Forbidden')) return null;
    throw error;
  });
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
