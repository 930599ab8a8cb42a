import { appChildNames, apps, labels, managedBy, type App, type KubeObject } from '@skipper/api';
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import { isOwned, nameOf, obstacle, ownerReferenceTo, type Obstacle } from '../ownership.ts';
import type { Observed } from './observe.ts';

/** Labels of every object that is made for an app. */
export function childLabels(app: App): Record<string, string> {
  return {
    [labels.name]: nameOf(app),
    [labels.instance]: nameOf(app),
    [labels.managedBy]: managedBy,
    [labels.partOf]: managedBy,
    [labels.app]: nameOf(app),
  };
}

/** What the Deployment and the Service select the pods by. Cannot change. */
export function selectorLabels(app: App): Record<string, string> {
  return { [labels.app]: nameOf(app), [labels.managedBy]: managedBy };
}

export function ownerReference(app: App): OwnerReference {
  return ownerReferenceTo(apps, app);
}

/** The objects at the names that this app needs and that are not ours. */
export function foreignObjects(app: App, seen: Observed): Obstacle[] {
  const name = nameOf(app);
  const found: Obstacle[] = [];
  const check = (kind: string, child: string, object: KubeObject | undefined) => {
    if (!object || isOwned(object, app)) return;
    const service = object.metadata?.labels?.[labels.managedBy] === managedBy ? object.metadata.labels[labels.service] : undefined;
    const what = `${kind} "${child}"${service === undefined ? '' : ` of the service "${service}"`}`;
    found.push(obstacle(what, object, app, apps.kind));
  };
  check('Deployment', appChildNames.deployment(name), seen.deployment);
  if (app.spec.port !== undefined) check('Service', appChildNames.service(name), seen.service);
  if (app.spec.host !== undefined) check('Ingress', appChildNames.ingress(name), seen.ingress);
  return found;
}
