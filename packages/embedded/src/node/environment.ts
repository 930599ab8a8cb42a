import type { Container, EnvVar, Pod } from 'kubernetes-types/core/v1.d.ts';
import { ContainerError } from './container-error.ts';
import { fieldOf, resourceFieldOf } from './pod-fields.ts';
import type { References, Values } from './references.ts';

/**
 * The variables of a container, references resolved, after those of `base`, which they may refer to.
 * @throws ContainerError for a reference to what does not exist.
 */
export async function environmentOf(
  pod: Pod,
  podIP: string,
  container: Container,
  references: References,
  base: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const env: Record<string, string> = { ...base };
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const source = secretRef ?? configMapRef;
    if (!source?.name) continue;
    const values = secretRef ? await references.secret(source.name) : await references.configMap(source.name);
    if (!values && !source.optional) throw missing(secretRef ? 'secret' : 'configmap', source.name);
    for (const [key, value] of Object.entries(values ?? {})) env[prefix + key] = textOf(value, prefix + key);
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, pod, podIP, container, references);
    if (value !== undefined) env[variable.name] = variable.valueFrom ? value : expand(value, env);
  }
  return env;
}

async function valueOf(
  { name, value, valueFrom }: EnvVar,
  pod: Pod,
  podIP: string,
  container: Container,
  references: References,
): Promise<string | undefined> {
  if (!valueFrom) return value ?? '';
  const { secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (fieldRef) return fieldOf(pod, podIP, fieldRef.fieldPath);
  if (resourceFieldRef) return resourceFieldOf(pod, container, resourceFieldRef);
  const reference = secretKeyRef ?? configMapKeyRef;
  if (!reference?.name)
    throw new ContainerError('CreateContainerConfigError', `variable ${name} has a kind of valueFrom that is not supported here`);
  const kind = secretKeyRef ? 'secret' : 'configmap';
  const values: Values | undefined = secretKeyRef ? await references.secret(reference.name) : await references.configMap(reference.name);
  const found = values?.[reference.key];
  if (found === undefined && !reference.optional) {
    throw values
      ? new ContainerError('CreateContainerConfigError', `couldn't find key ${reference.key} in ${kind} "${reference.name}"`)
      : missing(kind, reference.name);
  }
  return found && textOf(found, name);
}

/** A variable ends at a zero byte: what follows would be lost without a word. */
function textOf(value: Buffer, name: string): string {
  if (value.includes(0)) throw new ContainerError('CreateContainerConfigError', `the value of variable ${name} is not text`);
  return value.toString();
}

function missing(kind: string, name: string): ContainerError {
  return new ContainerError('CreateContainerConfigError', `${kind} "${name}" not found`);
}

/** `$(NAME)` becomes the variable's value, `$$` a dollar sign; an unknown name stays as it is. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([-._a-zA-Z0-9]+)\)/g, (all, name?: string) =>
    name === undefined ? '$' : Object.hasOwn(env, name) ? env[name]! : all,
  );
}
