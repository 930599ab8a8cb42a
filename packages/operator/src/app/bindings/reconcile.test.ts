import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Pod, Secret } from 'kubernetes-types/core/v1.d.ts';
import type { App, AppBinding, KubeObject, StatefulService } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { clientOf, contextOf } from '../../context.fixture.ts';
import { Outcomes } from './outcomes.ts';
import { reconcileBinding } from './reconcile.ts';
import { bindingSecret } from './secret.ts';

const namespace = 'shop';
const revoke = vi.spyOn(engineOf('mongodb').accounts, 'revoke').mockResolvedValue(undefined);
afterEach(() => revoke.mockClear());

const app = (entry: Partial<AppBinding> = {}): App => ({
  metadata: { name: 'api', namespace, uid: 'uid-api', generation: 1 },
  spec: { image: 'api:1', bindings: [{ service: 'db', ...entry }] },
});
const service: StatefulService = { metadata: { name: 'db', namespace, uid: 'uid-db' }, spec: { type: 'mongodb' } };
const claim: KubeObject = { metadata: { name: 'data-db-0', namespace } };
const pod: Pod = {
  metadata: { name: 'db-0', namespace, uid: 'uid-pod' },
  status: { podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
};
const credentials: Secret = { metadata: { name: 'db-credentials', namespace }, data: { username: 'c2tpcHBlcg==', password: 'eA==' } };
const secretOf = (database: string, metadata: Secret['metadata'] = {}): Secret => {
  const secret = bindingSecret({ namespace, app: 'api', service: 'db' }, { MONGODB_PASSWORD: 'x' }, { database, asked: database });
  return { ...secret, metadata: { ...secret.metadata, uid: 'uid-1', resourceVersion: '1', ...metadata } };
};
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' as never };

/** One pass of the binding, by what the caches know, on a server that has `standing`. */
async function pass({
  known,
  standing = known.secrets ?? [],
  spaces = [],
}: {
  known: Parameters<typeof contextOf>[0];
  standing?: KubeObject[];
  spaces?: KubeObject[];
}) {
  const { client, written } = clientOf({ secrets: standing, namespaces: spaces });
  const context = {
    ...contextOf(known, client),
    reach: 'direct' as const,
    outcomes: new Outcomes(() => undefined),
    verifyEveryMs: 60_000,
    loginTimeoutMs: 1_000,
    accountTimeoutMs: 1_000,
    stopping: new AbortController().signal,
  };
  return { written, ...(await reconcileBinding(context, namespace, 'api', 'db')) };
}
const running = { statefulServices: [service], claims: [claim], pods: [pod] };

describe('a Secret that is being deleted, of a binding that is wanted again', () => {
  it('is let go at once for the same part: the next one is that of the same account', async () => {
    const { written } = await pass({ known: { ...running, apps: [app()], secrets: [credentials, secretOf('api', deleted)] } });
    expect(written).toEqual(['patch secrets api-db-binding']);
    expect(revoke).not.toHaveBeenCalled();
  });

  it('is let go for another part when the account in the former one is gone', async () => {
    const known = { ...running, apps: [app({ database: 'sales' })], secrets: [credentials, secretOf('orders', deleted)] };
    const { written } = await pass({ known });
    expect(revoke).toHaveBeenCalledWith(expect.anything(), { username: 'app_api', database: 'orders' });
    expect(written).toEqual(['patch secrets api-db-binding']);
  });

  it('stays while the service is away and its data are there', async () => {
    const { written } = await pass({ known: { apps: [app()], claims: [claim], secrets: [secretOf('api', deleted)] } });
    expect(written).toEqual([]);
  });
});

describe('what the caches have not heard of yet', () => {
  it('does not take an account back that has been moved', async () => {
    const known = { ...running, apps: [app({ database: 'sales' })], secrets: [credentials, secretOf('orders')] };
    const standing = [credentials, secretOf('sales', { resourceVersion: '2' })];
    expect(await pass({ known, standing })).toEqual({ written: [], requeueAfterMs: 200 });
    expect(revoke).not.toHaveBeenCalled();
  });

  it.each([
    ['has another Secret', [secretOf('api', { uid: 'uid-2' })]],
    ['is gone with its Secret', []],
  ])('does not take an account back that %s', async (_, standing) => {
    const { written } = await pass({ known: { ...running, secrets: [credentials, secretOf('api', deleted)] }, standing });
    expect(written).toEqual([]);
    expect(revoke).not.toHaveBeenCalled();
  });
});

describe('an environment that the caches have not heard of yet', () => {
  const space = { metadata: { name: namespace, labels: { 'skipper.dev/environment': 'test' } } };
  const known = { ...running, apps: [app()], secrets: [credentials] };

  it('is waited for before a part is named after it, which is kept for ever', async () =>
    expect(await pass({ known, spaces: [space] })).toEqual({ written: [], requeueAfterMs: 200 }));

  it('does not matter to a part that is named', async () => {
    const { written } = await pass({ known: { ...known, pods: [], apps: [app({ database: 'orders' })] }, spaces: [space] });
    expect(written).toEqual(['create secrets api-db-binding']);
  });
});
