import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { appChildNames, appDatabaseName, labels, type App, type AppBinding, type StatefulService } from '@skipper/api';
import { findEngine, type Engine } from '@skipper/engines';
import type { Caches } from '../../caches.ts';
import { nameOf, namespaceOf } from '../../ownership.ts';
import { usernameOf } from './account.ts';
import { bindingOf, isBindingSecret, recordOf } from './secret.ts';
import { collisionsOf, variablesOf } from './variables.ts';

export interface Refusal {
  /** CamelCase. */
  reason: string;
  message: string;
}

/** What one entry of an app's bindings comes to. */
export interface BindingPlan {
  entry: AppBinding;
  secretName: string;
  /** What stands at the Secret's name, when it is this binding's. */
  secret: Secret | undefined;
  username: string;
  database: string;
  /** The service, when there is one that stays and apps can be bound to. */
  target: { service: StatefulService; engine: Engine; prefix: string } | undefined;
  /** Why it cannot be made as it stands. */
  refusal: Refusal | undefined;
}

/** What a plan is made of; {@link Caches} has it. */
export type PlanSource = {
  [Name in 'statefulServices' | 'apps' | 'secrets' | 'environments']: Pick<Caches[Name], 'get' | 'list'>;
};

/** What the bindings of an app come to, from what is known locally. */
export function planBindings(app: App, world: PlanSource): BindingPlan[] {
  const plans = (app.spec.bindings ?? []).map((entry) => planBinding(app, entry, world));
  const collision = collisionOf(app, plans);
  return collision ? plans.map((plan) => ({ ...plan, refusal: collision })) : plans;
}

function planBinding(app: App, entry: AppBinding, world: PlanSource): BindingPlan {
  const [name, namespace] = [nameOf(app), namespaceOf(app)];
  const secretName = appChildNames.binding(name, entry.service);
  const found = world.secrets.get(secretName, namespace);
  const secret = found && isBindingSecret(found, name, entry.service) ? found : undefined;
  const service = world.statefulServices.get(entry.service, namespace);
  const environment = world.environments.get(namespace)?.metadata?.labels?.[labels.environment];
  const derived = appDatabaseName(name, environment);
  const plan = { entry, secretName, secret, username: usernameOf(name), database: entry.database ?? derived, target: undefined };
  if (found && !secret) return { ...plan, refusal: nameTaken(secretName, namespace) };
  if (!service || service.metadata?.deletionTimestamp)
    return { ...plan, refusal: missing(entry.service, namespace, service !== undefined) };
  const engine = findEngine(service.spec.type);
  if (!engine)
    return {
      ...plan,
      refusal: {
        reason: 'Unsupported',
        message: `The service "${entry.service}" is of type "${service.spec.type}", to which apps cannot be bound by this version of Skipper.`,
      },
    };
  const database = entry.database ?? settled(secret, entry) ?? said(app, entry, secret) ?? engine.accounts.defaultDatabase(derived);
  const target = { service, engine, prefix: entry.prefix ?? engine.binding.prefix };
  const rule = engine.accounts.refusesDatabase(database);
  if (entry.database !== undefined && rule !== undefined)
    return { ...plan, database, target, refusal: { reason: 'DatabaseRefused', message: rule } };
  return {
    ...plan,
    database,
    target,
    refusal: takenBy(app, { entry, database, secret }, world, (other) =>
      engine.accounts.defaultDatabase(appDatabaseName(nameOf(other), environment)),
    ),
  };
}

/** What was chosen for the app before: a label that the namespace gets later must not move it to an empty database. */
function settled(secret: Secret | undefined, entry: AppBinding): string | undefined {
  const record = recordOf(secret);
  return record.asked === entry.database ? record.database : undefined;
}

/** What was said of the binding as it is now, where its Secret was deleted: the next one, with another password, is to the same. */
function said({ metadata, status }: App, entry: AppBinding, secret: Secret | undefined): string | undefined {
  if (secret || status?.observedGeneration !== metadata?.generation) return undefined;
  return status?.bindings?.find(({ service }) => service === entry.service)?.database;
}

export function nameTaken(secretName: string, namespace: string): Refusal {
  return {
    reason: 'NameTaken',
    message: `The Secret "${secretName}" in namespace "${namespace}" was not made for this binding and will not be touched. Delete or rename it.`,
  };
}

function missing(service: string, namespace: string, going: boolean): Refusal {
  return {
    reason: 'ServiceMissing',
    message: going
      ? `The service "${service}" is being deleted.`
      : `There is no service "${service}" in namespace "${namespace}". Add it, or remove the binding.`,
  };
}

/** An app's part of a service is the app's alone. Of two apps that ask for one, the older has it. */
function takenBy(
  app: App,
  { entry: { service }, database, secret }: Pick<BindingPlan, 'entry' | 'database' | 'secret'>,
  world: PlanSource,
  defaultOf: (other: App) => string,
): Refusal | undefined {
  const namespace = namespaceOf(app);
  const holds = recordOf(secret).database === database;
  const others = world.apps.list(namespace).filter((other) => nameOf(other) !== nameOf(app) && !other.metadata?.deletionTimestamp);
  const refused = (reason: string, by: string, what: string): Refusal => ({
    reason,
    message: `"${database}" in the service "${service}" ${what} the app "${by}". Name another for this binding (database).`,
  });
  const taken = (by: string): Refusal => refused('DatabaseTaken', by, 'belongs to');
  for (const held of world.secrets.list(namespace)) {
    const binding = bindingOf(held);
    if (binding?.service !== service || binding.app === nameOf(app) || recordOf(held).database !== database) continue;
    const other = others.find((candidate) => nameOf(candidate) === binding.app);
    if (!other?.spec.bindings?.some((entry) => entry.service === service)) {
      if (!holds) return refused('DatabaseNotFreeYet', binding.app, 'is still being given up by');
    } else if (!holds || isOlder(other, app)) return taken(binding.app);
  }
  if (holds) return undefined;
  const rival = others.find(
    (other) =>
      isOlder(other, app) &&
      other.spec.bindings?.some((entry) => entry.service === service && (entry.database ?? defaultOf(other)) === database),
  );
  return rival ? taken(nameOf(rival)) : undefined;
}

function isOlder(one: App, other: App): boolean {
  const [left, right] = [one, other].map(({ metadata }) => `${metadata?.creationTimestamp} ${metadata?.name}`);
  return left! < right!;
}

/** Why the variables of a whole app do not go together: one of two values would win, and nobody could say which. */
function collisionOf(app: App, plans: readonly BindingPlan[]): Refusal | undefined {
  const sets = plans.map((plan) => ({ source: `the binding to "${plan.entry.service}"`, names: namesOf(app, plan) }));
  const own = { source: 'its own env', names: (app.spec.env ?? []).map(({ name }) => name) };
  const [collision] = collisionsOf([...sets, own]);
  if (!collision) return undefined;
  const { names, between } = collision;
  return {
    reason: 'VariablesCollide',
    message: `${names.join(', ')} would be set by ${between.join(' and by ')}. Give one binding another prefix, or rename the variable.`,
  };
}

/** Of a service that is not there only what an earlier binding left can say which variables it has. */
function namesOf(app: App, { target, secret, entry, database, username }: BindingPlan): string[] {
  if (!target) return Object.keys(secret?.data ?? {});
  const { engine, prefix } = target;
  return Object.keys(
    variablesOf({ engine, prefix, namespace: namespaceOf(app), service: entry.service, database, username, password: '' }),
  );
}
