import { KipError, customResourceDefinitions, leases } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';

/**
 * Without an operator the wish would stand there and nothing would happen.
 * @param cluster as messages name it.
 * @param kind the definition that it needs.
 * @throws KipError `no-operator`
 */
export async function requireOperator(
  client: KubeClient,
  cluster: string,
  kind: 'statefulservices.skipper.dev' | 'apps.skipper.dev',
): Promise<void> {
  const missing = (): KipError =>
    new KipError('no-operator', `No operator looks after services and apps on ${cluster}.`, {
      hint: 'Install it as docs/kubernetes.md says, or run "kip operator" in another terminal.',
    });
  try {
    if (!(await client.find(customResourceDefinitions, kind))) throw missing();
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
