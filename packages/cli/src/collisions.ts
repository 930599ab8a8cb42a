import { KipError, statefulServices, type App, type AppBinding, type Scope, type StatefulService } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { bindingVariableNames } from './binding-variables.ts';
import { inScope } from './services.ts';

/**
 * Refuses a binding whose variables another binding of the app, or the app itself, has already.
 * @throws KipError `conflict`
 */
export async function requireNoCollision(
  client: KubeClient,
  app: App,
  service: StatefulService,
  wish: AppBinding,
  scope: Scope,
): Promise<void> {
  const name = app.metadata!.name!;
  const before = app.spec.bindings?.find((binding) => binding.service === wish.service);
  const wanted = new Set(bindingVariableNames(service, { ...before, ...wish }));
  const refuse = (variable: string, owner: string): never => {
    throw new KipError('conflict', `App "${name}" has the variable ${variable} already, ${owner}.`, {
      hint: `Give the variables of "${wish.service}" other names with --prefix.`,
    });
  };
  const own = app.spec.env?.find((variable) => wanted.has(variable.name));
  if (own) refuse(own.name, `of its own; "${inScope(`kip app env unset ${name} ${own.name}`, scope)}" removes it`);
  for (const binding of app.spec.bindings ?? []) {
    if (binding.service === wish.service) continue;
    const other = await client.find(statefulServices, binding.service, { namespace: scope.namespace });
    const taken = other && bindingVariableNames(other, binding).find((variable) => wanted.has(variable));
    if (taken) refuse(taken, `of its binding to "${binding.service}"`);
  }
}
