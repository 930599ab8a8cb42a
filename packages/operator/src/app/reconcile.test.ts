import { expect, it } from 'vitest';
import { appConditionTypes, findCondition, type App } from '@skipper/api';
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
