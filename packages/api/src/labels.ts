/** Labels and annotations that Skipper writes. */
export const labels = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  version: 'app.kubernetes.io/version',
  component: 'app.kubernetes.io/component',
  partOf: 'app.kubernetes.io/part-of',
  managedBy: 'app.kubernetes.io/managed-by',
  /** On namespaces: the project and the environment that the namespace is for. */
  project: 'skipper.dev/project',
  environment: 'skipper.dev/environment',
  /** On every child of a StatefulService: its name. Claims and credentials carry it too, which makes them ours when no owner is left. */
  service: 'skipper.dev/service',
  /** On every child of an App, and on the Secrets of its bindings: the app's name. */
  app: 'skipper.dev/app',
  /** On claims and credentials: the service's type, which must match when they are adopted. */
  type: 'skipper.dev/type',
} as const;

/** The value of `app.kubernetes.io/managed-by` and the prefix of our field managers. */
export const managedBy = 'skipper';

export const annotations = {
  /**
   * On a StatefulService whose volume and credentials go with it: when that was asked for, RFC 3339. The deletion follows at once; a
   * request that was left without one is taken back by the operator.
   */
  deleteData: 'skipper.dev/delete-data',
  /** On a StatefulService, and from there on its pod template: when a restart was asked for, RFC 3339. */
  restartedAt: 'skipper.dev/restarted-at',
  /** On an object the operator applies: digest of what it applied, so that fields it no longer sets are taken back. */
  applied: 'skipper.dev/applied',
} as const;

/** Keeps a StatefulService until its cleanup is done. */
export const serviceFinalizer = 'skipper.dev/cleanup';
