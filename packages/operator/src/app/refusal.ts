import { appNameLimit, type App } from '@skipper/api';
import { hostPattern, prefixLimit, prefixPattern } from '../crds/app.ts';
import { nameOf } from '../ownership.ts';

/**
 * Why nothing can be made of a spec; `undefined` when something can. The rules of the custom resource say most of this at once, but
 * servers before Kubernetes 1.25 do not know them.
 * @param processes whether the cluster runs commands without an image
 */
export function refusal(app: App, processes: boolean): string | undefined {
  const name = nameOf(app);
  const { image, command, port, host, replicas, bindings = [] } = app.spec;
  if (name.length > appNameLimit) return `The name "${name}" has ${name.length} characters; at most ${appNameLimit} are possible.`;
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name))
    return `The name "${name}" is not possible: it must start with a letter and have lower-case letters, digits and "-" only.`;
  if (!image && !command?.length) return 'It has neither an image nor a command: set spec.image.';
  if (!image && !processes) return 'It has no image: set spec.image. Only the embedded cluster runs a command without one.';
  if (host !== undefined && port === undefined) return `The host "${host}" needs a port: set spec.port to the one that the app listens on.`;
  if (host !== undefined && !new RegExp(hostPattern).test(host)) return `"${host}" is no host name.`;
  if (replicas !== undefined && !(Number.isInteger(replicas) && replicas >= 0)) return `${replicas} is no number of replicas.`;
  const services = bindings.map(({ service }) => service);
  const twice = services.find((service, index) => services.indexOf(service) !== index);
  if (twice !== undefined) return `It is bound to the service "${twice}" twice.`;
  const odd = bindings.find(
    ({ prefix }) => prefix !== undefined && (prefix.length > prefixLimit || !new RegExp(prefixPattern).test(prefix)),
  );
  if (odd)
    return `The prefix "${odd.prefix}" of the binding to "${odd.service}" is not possible: use capitals, digits and "_", and begin with a capital.`;
  return undefined;
}
