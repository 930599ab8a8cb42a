import { conditionTypes, findCondition, KipError, statefulServices, type StatefulService } from '@skipper/api';
import { createInformer, type KubeClient } from '@skipper/kube';
import { startProgress } from './output.ts';

/**
 * Watches a service until `done`, saying how it goes.
 * @param done given the service, or undefined when there is none.
 * @throws KipError `timeout` with what the service says of itself.
 */
export async function waitForService(
  client: KubeClient,
  name: string,
  namespace: string,
  timeoutSeconds: number,
  done: (service: StatefulService | undefined) => boolean,
): Promise<StatefulService | undefined> {
  const progress = startProgress();
  const informer = createInformer(client, statefulServices, { namespace, fieldSelector: `metadata.name=${name}` });
  let last = '';
  try {
    return await new Promise<StatefulService | undefined>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new KipError('timeout', `Service "${name}" did not get there within ${timeoutSeconds} s.${last ? ` It says: ${last}` : ''}`, {
            hint: 'It goes on in the background; look with "kip service list", or wait longer with --timeout.',
          }),
        );
      }, timeoutSeconds * 1000);
      const look = (now: StatefulService | undefined): void => {
        last = findCondition(now?.status?.conditions, conditionTypes.ready)?.message ?? last;
        if (last) progress.update(last);
        if (!done(now)) return;
        clearTimeout(timer);
        resolve(now);
      };
      informer.subscribe(({ type, object }) => look(type === 'DELETED' ? undefined : object));
      informer.synced().then(() => look(informer.get(name, namespace)), reject);
    });
  } finally {
    progress.done();
    informer.close();
  }
}

/** Whether the operator has seen the newest wish and the service is ready. */
export function isServiceReady(service: StatefulService | undefined): boolean {
  const ready = findCondition(service?.status?.conditions, conditionTypes.ready);
  return ready?.status === 'True' && (service?.status?.observedGeneration ?? 0) >= (service?.metadata?.generation ?? 0);
}
