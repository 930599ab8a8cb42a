import type { ApiObject, Strategy, StrategyContext } from '../../../contracts.ts';
import { fieldError, immutable } from './immutable.ts';

/** 10.96.0.0/16. The addresses lead nowhere here: clients reach a pod by its own address or through a port-forward. */
function freeAddress(context: StrategyContext): string {
  const taken = new Set(context.list('core/services').map((service) => service['spec'].clusterIP as string));
  for (let number = 10; number < 65_536; number++) {
    const address = `10.96.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new Error('every cluster address is taken');
}

function fill(object: ApiObject): void {
  const spec = (object['spec'] ??= {});
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    port.targetPort ??= port.port;
  }
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

export const serviceStrategy: Strategy = {
  prepareCreate(object, context) {
    fill(object);
    const { spec } = object as ApiObject & { spec: any };
    object['status'] = { loadBalancer: {} };
    if (spec.type === 'ExternalName') return;
    spec.clusterIP ||= freeAddress(context);
    spec.clusterIPs = [spec.clusterIP];
  },
  prepareUpdate(object, old) {
    const { spec } = object as ApiObject & { spec: any };
    // An update that leaves the address out keeps it.
    if (spec.type !== 'ExternalName') {
      spec.clusterIP ||= old['spec'].clusterIP;
      spec.clusterIPs ??= old['spec'].clusterIPs;
    }
    fill(object);
  },
  validate(object, old) {
    const { spec } = object as ApiObject & { spec: any };
    const errors =
      old && spec.type !== 'ExternalName' && old['spec'].type !== 'ExternalName'
        ? immutable('spec.clusterIPs[0]', old['spec'].clusterIP, spec.clusterIP)
        : [];
    if ((spec.ports ?? []).length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
      errors.push(fieldError('FieldValueRequired', 'spec.ports', 'Required value'));
    return errors;
  },
};
