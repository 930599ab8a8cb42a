import { KipError } from '@skipper/api';
import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';

/** As the API server has it. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables */
const validName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** @throws KipError `usage` */
export function requireVariableName(name: string): void {
  if (!validName.test(name))
    throw new KipError('usage', `"${name}" cannot be the name of a variable.`, {
      hint: 'Use letters, digits, "_", "." and "-", and start with no digit: for example LOG_LEVEL=debug.',
    });
}

/**
 * A variable as it stands on the command line: `KEY=VALUE`, or `KEY` alone to take the value from `environment`, which keeps it out of
 * the list of processes.
 * @throws KipError `usage`
 */
export function parseVariable(text: string, environment: NodeJS.ProcessEnv): EnvVar {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  requireVariableName(name);
  const value = at < 0 ? environment[name] : text.slice(at + 1);
  if (value === undefined)
    throw new KipError('usage', `Variable ${name} has no value, and is not set here either.`, { hint: `Write ${name}=VALUE.` });
  return { name, value: escapeReferences(value) };
}

/**
 * The variables of a file with a `KEY=VALUE` a line. Empty lines and lines that start with `#` are left out; quotes around a value
 * are taken off, and so is `export` before a name.
 * @throws KipError `usage` that says the line.
 */
export function parseVariables(contents: string, file: string): EnvVar[] {
  const found: EnvVar[] = [];
  contents.split(/\r?\n/).forEach((line, index) => {
    const text = line.trim().replace(/^export\s+/, '');
    if (text === '' || text.startsWith('#')) return;
    const at = text.indexOf('=');
    const name = text.slice(0, Math.max(0, at)).trim();
    if (at < 0 || !validName.test(name))
      throw new KipError('usage', `Line ${index + 1} of ${file} is no variable.`, { hint: 'Write a KEY=VALUE a line.' });
    const value = text.slice(at + 1).trim();
    const quoted = /^(["'])(.*)\1$/s.exec(value);
    found.push({ name, value: escapeReferences(quoted ? quoted[2]! : value) });
  });
  return found;
}

/**
 * Kubernetes makes one `$` of two. A reference to another variable, `$(DB_HOST)`, is left to it.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
 */
export function escapeReferences(value: string): string {
  return value.replaceAll('$$', () => '$$$$');
}

/** `current` with these variables: one that is there changes in its place, a new one comes last. */
export function withVariables(current: readonly EnvVar[] | undefined, changes: readonly EnvVar[]): EnvVar[] {
  const result = [...(current ?? [])];
  for (const variable of changes) {
    const index = result.findIndex(({ name }) => name === variable.name);
    if (index < 0) result.push(variable);
    else result[index] = variable;
  }
  return result;
}
