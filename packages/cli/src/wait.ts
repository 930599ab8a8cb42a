import {
  appConditionTypes,
  apps,
  conditionTypes,
  findCondition,
  KipError,
  type Reporting,
  stalledCondition,
  statefulServices,
  type App,
  type KubeObject,
  type ResourceType,
  type Scope,
  type StatefulService,
} from '@skipper/api';
import { createInformer, type KubeClient } from '@skipper/kube';
import { printable, startProgress, type Progress } from './output.ts';
import { inScope } from './services.ts';

/**
 * How long an object may say that it waits for a person before that is believed, in ms: it may just have been mended, and the operator
 * looks for names that became free every 5 s.
 */
const stalledMs = 6_000;

interface Waited<T extends Reporting, B extends KubeObject> {
  type: ResourceType<T>;
  /** As messages name it: `Service "db"`. */
  what: string;
  name: string;
  namespace: string;
  timeoutSeconds: number;
  /** Where to look afterwards: `kip service list`. */
  look: string;
  /** Another object in its namespace that is looked at too. */
  beside?: { type: ResourceType<B>; name: string };
  /** Given the object and the one beside, or undefined when there is none. */
  done: (object: T | undefined, beside: B | undefined) => boolean;
  /** Whether it gets there though it says that it waits for a person. */
  goesOn?: (beside: B | undefined) => boolean;
  /** Default: one of its own. */
  progress?: Progress;
}

type More<T extends Reporting, B extends KubeObject> = Pick<Waited<T, B>, 'progress' | 'beside' | 'goesOn'>;

/**
 * Watches an object until `done`, saying how it goes.
 * @throws KipError `timeout` or, where it waits for a person, `stalled`; with what the object says of itself.
 */
export async function waitFor<T extends Reporting, B extends KubeObject = never>(
  client: KubeClient,
  waited: Waited<T, B>,
): Promise<T | undefined> {
  const { type, what, name, namespace, timeoutSeconds, beside, done, goesOn } = waited;
  const progress = waited.progress ?? startProgress();
  const informer = createInformer(client, type, { namespace, fieldSelector: `metadata.name=${name}` });
  const other = beside && createInformer(client, beside.type, { namespace, fieldSelector: `metadata.name=${beside.name}` });
  let last = '';
  let timer: NodeJS.Timeout | undefined;
  let stalledTimer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T | undefined>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new KipError('timeout', `${what} did not get there within ${timeoutSeconds} s.${last ? ` It says: ${last}` : ''}`, {
            hint: `It goes on in the background; look with "${waited.look}", or wait longer with --timeout.`,
          }),
        );
      }, timeoutSeconds * 1000);
      const look = (): void => {
        const now = informer.get(name, namespace);
        const seen = other?.get(beside!.name, namespace);
        last = printable(findCondition(now?.status?.conditions, conditionTypes.ready)?.message ?? last);
        if (last) progress.update(last);
        if (done(now, seen)) return resolve(now);
        if (!isStalled(now) || goesOn?.(seen)) {
          clearTimeout(stalledTimer);
          stalledTimer = undefined;
        } else
          stalledTimer ??= setTimeout(() => {
            reject(
              new KipError('stalled', `${what} will not get there by itself. It says: ${last}`, {
                hint: `It is tried again once that is mended; look with "${waited.look}".`,
              }),
            );
          }, stalledMs);
      };
      for (const watch of [informer, other]) {
        watch?.subscribe(look);
        watch?.synced().then(look, reject);
      }
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(stalledTimer);
    if (!waited.progress) progress.done();
    informer.close();
    other?.close();
  }
}

/** @throws KipError as {@link waitFor} */
export function waitForService<B extends KubeObject = never>(
  client: KubeClient,
  name: string,
  scope: Scope,
  timeoutSeconds: number,
  done: (service: StatefulService | undefined, beside: B | undefined) => boolean,
  more: More<StatefulService, B> = {},
): Promise<StatefulService | undefined> {
  const look = inScope('kip service list', scope);
  return waitFor(client, {
    type: statefulServices,
    what: `Service "${name}"`,
    name,
    namespace: scope.namespace,
    timeoutSeconds,
    look,
    done,
    ...more,
  });
}

/** @throws KipError as {@link waitFor} */
export function waitForApp<B extends KubeObject = never>(
  client: KubeClient,
  name: string,
  scope: Scope,
  timeoutSeconds: number,
  done: (app: App | undefined, beside: B | undefined) => boolean,
  more: More<App, B> = {},
): Promise<App | undefined> {
  const look = inScope(`kip app info ${name}`, scope);
  return waitFor(client, {
    type: apps,
    what: `App "${name}"`,
    name,
    namespace: scope.namespace,
    timeoutSeconds,
    look,
    done,
    ...more,
  });
}

/** Whether the operator has seen the newest wish and says this of it. */
const isTrue = (object: Reporting | undefined, type: string): boolean =>
  findCondition(object?.status?.conditions, type)?.status === 'True' &&
  (object?.status?.observedGeneration ?? 0) >= (object?.metadata?.generation ?? 0);

/** What is being deleted needs nothing mended any more. */
const isStalled = (object: Reporting | undefined): boolean =>
  object?.metadata?.deletionTimestamp === undefined && isTrue(object, stalledCondition);

/** Whether the operator has seen the newest wish and the service is ready. */
export const isServiceReady = (service: StatefulService | undefined): boolean => isTrue(service, conditionTypes.ready);

/** Whether the operator has seen the newest wish and all pods run as it says, with the variables of every binding. */
export const isAppReady = (app: App | undefined): boolean => isTrue(app, appConditionTypes.ready);
