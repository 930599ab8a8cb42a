import { expect, it } from 'vitest';
import { appConditionTypes, findCondition, labels, type App } from '@skipper/api';
import { KubeError } from '@skipper/kube';
import { clientOf, contextOf } from '../context.fixture.ts';
import { reconcileApp } from './reconcile.ts';

const app: App = { metadata: { name: 'api', namespace: 'shop', uid: 'uid-api', generation: 1 }, spec: { image: 'api:1' } };

it.each(['Invalid', 'Forbidden'])('says what the server has against its objects, and tries again: %s', async (reason) => {
  const { client, status } = clientOf({}, (request) => {
    if (request === 'apply deployments api') throw new KubeError(reason === 'Invalid' ? 422 : 403, { reason, message: 'not like this' });
  });
  const { requeueAfterMs } = await reconcileApp({ ...contextOf({ apps: [app] }, client), outcomes: new Map() }, 'shop', 'api');
  const condition = findCondition(status()?.conditions, appConditionTypes.workloadReady);
  expect(condition).toMatchObject({ status: 'False', reason: 'Rejected', message: 'not like this' });
  expect(requeueAfterMs).toBeGreaterThan(0);
});

it('names no part of a service after an environment that the caches have not heard of yet', async () => {
  const { client, written } = clientOf({ namespaces: [{ metadata: { name: 'shop', labels: { [labels.environment]: 'test' } } }] });
  const bound: App = { ...app, spec: { ...app.spec, bindings: [{ service: 'db' }] } };
  const { requeueAfterMs } = await reconcileApp({ ...contextOf({ apps: [bound] }, client), outcomes: new Map() }, 'shop', 'api');
  expect(written).toEqual([]);
  expect(requeueAfterMs).toBeGreaterThan(0);
});
