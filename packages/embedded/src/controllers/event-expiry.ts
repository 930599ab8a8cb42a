import { events } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Log } from '../contracts.ts';

/** As long as Kubernetes keeps them. */
const keepMs = 3_600_000;
const lookEveryMs = 600_000;

/** Removes old events. */
export function startEventExpiry(client: KubeClient, log: Log): { close(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  const expire = async (): Promise<void> => {
    const { items } = await client.list(events);
    for (const { metadata, lastTimestamp, eventTime } of items) {
      if (Date.now() - Date.parse(String(lastTimestamp ?? eventTime ?? metadata.creationTimestamp)) < keepMs) continue;
      await client.delete(events, metadata.name!, { namespace: metadata.namespace! });
    }
  };
  const timer = setInterval(() => {
    running = expire().catch((error: Error) => log(`events: ${error.message}`));
  }, lookEveryMs);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      return running;
    },
  };
}
