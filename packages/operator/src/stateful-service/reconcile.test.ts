import { describe, expect, it } from 'vitest';
import type { PersistentVolumeClaim, Secret } from 'kubernetes-types/core/v1.d.ts';
import { annotations, conditionTypes, findCondition, serviceFinalizer, stalledCondition, type StatefulService } from '@skipper/api';
import { engineOf } from '@skipper/engines';
import { KubeError } from '@skipper/kube';
import { clientOf, contextOf } from '../context.fixture.ts';
import { credentialsSecret } from './credentials.ts';
import { reconcileStatefulService } from './reconcile.ts';
import { dataClaim } from './storage.ts';

const namespace = 'shop';
const metadata = { name: 'db', namespace, uid: 'uid-db', generation: 1, finalizers: [serviceFinalizer] };
const service: StatefulService = { metadata, spec: { type: 'postgres', storage: '1Gi' } };
const larger: StatefulService = { metadata, spec: { type: 'postgres', storage: '2Gi' } };
const credentials = ((): Secret => {
  const secret = credentialsSecret(service, engineOf('postgres'), 'x');
  return { ...secret, data: secret.stringData };
})();
const claim = (phase: string): PersistentVolumeClaim => {
  const wanted = dataClaim(service, engineOf('postgres'));
  return { ...wanted, spec: { ...wanted.spec, storageClassName: 'expandable' }, status: { phase } };
};
const expandable = { metadata: { name: 'expandable' }, allowVolumeExpansion: true };

/** One pass of the service, on a server that refuses the requests that are named. */
async function pass(known: Parameters<typeof contextOf>[0], refused: Record<string, KubeError> = {}) {
  const { client, written, status } = clientOf({ storageclasses: [expandable] }, (request) => {
    if (refused[request]) throw refused[request];
  });
  const outcome = await reconcileStatefulService(contextOf(known, client), namespace, 'db');
  return { ...outcome, written, condition: (type: string) => findCondition(status()?.conditions, type) };
}
const refusal = (code: number, reason: string, message: string, causes: { reason: string }[] = []) =>
  new KubeError(code, { reason, message, details: { causes } });

describe('a volume that is to grow', () => {
  it('is left alone until it is bound', async () => {
    const { written, condition } = await pass({
      statefulServices: [larger],
      claims: [claim('Pending')],
      secrets: [credentials],
    });
    expect(written).toContain('apply statefulsets db');
    expect(written).not.toContain('patch persistentvolumeclaims data-db-0');
    expect(condition(conditionTypes.storageReady)).toMatchObject({ status: 'False', reason: 'Resizing' });
  });

  it('says what the server has against it, and keeps nothing else from being made', async () => {
    const { written, condition, requeueAfterMs } = await pass(
      { statefulServices: [larger], claims: [claim('Bound')], secrets: [credentials] },
      { 'patch persistentvolumeclaims data-db-0': refusal(403, 'Forbidden', 'exceeded quota: small') },
    );
    expect(written).toContain('apply statefulsets db');
    expect(condition(conditionTypes.storageReady)).toMatchObject({ reason: 'Rejected', message: 'exceeded quota: small' });
    expect(condition(stalledCondition)).toBeUndefined();
    // Nothing tells when a quota is raised.
    expect(requeueAfterMs).toBeGreaterThan(0);
  });
});

describe('an object that the server does not take', () => {
  it.each([
    ['apply statefulsets db', refusal(422, 'Invalid', 'requests: must be less than or equal to memory limit')],
    ['create persistentvolumeclaims data-db-0', refusal(403, 'Forbidden', 'exceeded quota: small')],
  ])('is told of, and is tried again: %s', async (request, error) => {
    const { condition, requeueAfterMs } = await pass({ statefulServices: [service] }, { [request]: error });
    expect(condition(conditionTypes.workloadReady)).toMatchObject({ status: 'False', reason: 'Rejected', message: error.message });
    expect(condition(stalledCondition)).toMatchObject({ status: 'True', reason: 'Rejected' });
    expect(requeueAfterMs).toBeGreaterThan(0);
  });

  it('is not told of while its namespace goes', async () => {
    const going = refusal(403, 'Forbidden', 'it is being terminated', [{ reason: 'NamespaceTerminating' }]);
    await expect(pass({ statefulServices: [service] }, { 'create secrets db-credentials': going })).rejects.toBe(going);
  });
});

describe('the data of a service that goes', () => {
  const asked = (type: StatefulService['spec']['type'], at: string): StatefulService => ({
    metadata: {
      ...metadata,
      annotations: { [annotations.deleteData]: at },
      deletionTimestamp: '2026-01-01T00:02:00Z' as never,
    },
    spec: { type },
  });
  const app = { metadata: { name: 'api', namespace }, spec: { bindings: [{ service: 'db' }] } };
  const kept = { claims: [claim('Bound')], secrets: [credentials], apps: [app] };

  it('go with it when that was asked for, and out of every app', async () => {
    const { written } = await pass({ ...kept, statefulServices: [asked('postgres', '2026-01-01T00:01:59.123Z')] });
    expect(written).toEqual(['patch apps api', 'delete persistentvolumeclaims data-db-0']);
  });

  it('go with it though the clock of who asked is slow', async () => {
    const { written } = await pass({ ...kept, statefulServices: [asked('postgres', '2026-01-01T00:00:00.000Z')] });
    expect(written).toContain('delete persistentvolumeclaims data-db-0');
  });

  it.each([
    ['of a service of another type', asked('mysql', '2026-01-01T00:01:59.123Z')],
    ['that were asked for long before', asked('postgres', '2025-12-31T23:01:59.000Z')],
    ['that were asked for at no time', asked('postgres', 'yes')],
  ])('stay as those %s, with what is bound to them', async (_, service) => {
    const { written } = await pass({ ...kept, statefulServices: [service] });
    expect(written).toEqual(['patch statefulservices db']);
  });
});
