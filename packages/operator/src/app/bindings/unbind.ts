import { apps, secrets, type App, type StatefulService } from '@skipper/api';
import { fieldManager } from '../../apply.ts';
import type { ReconcilerContext } from '../../controller.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { letGo } from './release.ts';
import { accountFinalizer, bindingOf } from './secret.ts';

/** Takes a service that goes with its data out of every app, and drops what their bindings left: the accounts go with the data. */
export async function unbindEveryApp({ client, caches, recorder }: ReconcilerContext, service: StatefulService): Promise<void> {
  const [name, namespace] = [nameOf(service), namespaceOf(service)];
  for (const app of caches.apps.list(namespace)) {
    if (!bindings(app).some((entry) => entry.service === name)) continue;
    const rest = bindings(app).filter((entry) => entry.service !== name);
    await client.patch(
      apps,
      nameOf(app),
      { metadata: { resourceVersion: app.metadata?.resourceVersion }, spec: { bindings: rest } },
      { namespace, fieldManager },
    );
    await recorder.record(apps, app, 'Normal', 'Unbound', `The service "${name}" is deleted with its data; the binding to it was removed.`);
  }
  for (const secret of caches.secrets.list(namespace)) {
    if (bindingOf(secret)?.service !== name) continue;
    if (!secret.metadata?.deletionTimestamp) await client.delete(secrets, nameOf(secret), { namespace, uid: secret.metadata?.uid });
    else if (secret.metadata.finalizers?.includes(accountFinalizer)) await letGo(client, secret);
  }
}

function bindings(app: App) {
  return app.spec.bindings ?? [];
}
