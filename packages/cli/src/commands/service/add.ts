import {
  KipError,
  requirePositiveQuantity,
  requireServiceName,
  serviceTypes,
  statefulServices,
  type Scope,
  type ServiceType,
  type StatefulService,
} from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from '../../field-manager.ts';
import { ensureNamespace } from '../../namespace.ts';
import { requireOperator } from '../../operator-lease.ts';
import { note, print, printData } from '../../output.ts';
import type { OutputOptions, ScopeOptions, WaitOptions } from '../../options.ts';
import { connectionOf, connectionText, inScope, scopeOfOptions, serviceDetails } from '../../services.ts';
import { findStandIn, noteStandIn } from '../../stand-in.ts';
import { withCluster, type Target } from '../../target-cluster.ts';
import { isServiceReady, waitForService } from '../../wait.ts';

export interface AddOptions extends ScopeOptions, OutputOptions, WaitOptions {
  name?: string;
  storage?: string;
  version?: string;
  cpu?: string;
  memory?: string;
  storageClass?: string;
}

/** `kip service add` */
export async function addService(type: string, options: AddOptions): Promise<void> {
  // Everything that can be wrong is found before anything is made.
  const service = serviceOf(type, options);
  const scope = scopeOfOptions(options);
  await withCluster(options, async (target) => {
    await create(target, service, scope);
    if (!options.wait) {
      if (!(await printData(options, { name: options.name, namespace: scope.namespace, type })))
        note(`Service "${options.name}" is being made; "${inScope('kip service list', scope)}" shows how it goes.`);
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
  const ready = (await waitForService(client, name, scope, options.timeout, isServiceReady))!;
  const [connection, program] = await Promise.all([connectionOf(client, ready, scope), findStandIn(client, ready)]);
  if (await printData(options, serviceDetails(ready, connection, scope, program))) return;
  print(connectionText(ready, connection));
  noteStandIn(ready, program);
}

function serviceOf(type: string, options: AddOptions): StatefulService {
  if (!(serviceTypes as readonly string[]).includes(type)) {
    throw new KipError('usage', `"${type}" is no type of service.`, { hint: `Choose one of: ${serviceTypes.join(', ')}.` });
  }
  if (options.name === undefined)
    throw new KipError('usage', 'The service needs a name.', {
      hint: inScope(`kip service add ${type} --name my${type === 'postgres' ? 'db' : type}`, options),
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
  await requireOperator(client, cluster, 'statefulservices.skipper.dev');
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
    hint: `"${inScope(`kip service info ${name}`, scope)}" shows how to connect to it; choose another --name for a new one.`,
  });
}
