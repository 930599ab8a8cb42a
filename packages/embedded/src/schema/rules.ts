import type { FieldError } from '../contracts.ts';
import { CelRuntimeError, compile, type Program } from './cel/evaluate.ts';
import type { SchemaNode, ValidationRule } from './definitions.ts';

const programs = new Map<string, Program>();

/** @throws CelSyntaxError */
export function programOf(rule: string): Program {
  let program = programs.get(rule);
  if (!program) programs.set(rule, (program = compile(rule)));
  return program;
}

const reasons = new Set(['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueRequired', 'FieldValueDuplicate']);
const words: Readonly<Record<string, string>> = { FieldValueForbidden: 'Forbidden', FieldValueRequired: 'Required value' };

/** `x-kubernetes-validations`. A rule about the value before is not asked where there was none. */
export function checkRules(value: unknown, old: unknown, schema: SchemaNode, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    const program = programOf(rule.rule);
    if (program.usesOldSelf && old === undefined) continue;
    const problem = problemOf(rule, program, { self: value, oldSelf: old });
    if (problem === undefined) continue;
    const reason = rule.reason !== undefined && reasons.has(rule.reason) ? rule.reason : 'FieldValueInvalid';
    const field = (path + (rule.fieldPath ?? '')).replace(/^\./, '');
    const message =
      reason === 'FieldValueDuplicate'
        ? `Duplicate value: ${JSON.stringify(value)}`
        : reason in words
          ? `${words[reason]}: ${problem}`
          : `Invalid value: ${shown(value)}${problem}`;
    errors.push({ reason, field: field === '' ? '<nil>' : field, message });
  }
  return errors;
}

/** A composite value is left out. */
function shown(value: unknown): string {
  return typeof value === 'object' ? '' : `${JSON.stringify(value)}: `;
}

/** Whether any rule stands in the schema. */
export function hasRules(schema: SchemaNode | undefined): boolean {
  if (!schema || schema.$ref !== undefined) return false;
  const { properties, items, additionalProperties } = schema;
  return (
    (schema['x-kubernetes-validations']?.length ?? 0) > 0 ||
    Object.values(properties ?? {}).some(hasRules) ||
    hasRules(items) ||
    (typeof additionalProperties === 'object' && hasRules(additionalProperties))
  );
}

function problemOf(rule: ValidationRule, program: Program, variables: { self: unknown; oldSelf: unknown }): string | undefined {
  try {
    if (program.run(variables) === true) return undefined;
  } catch (error) {
    if (error instanceof CelRuntimeError) return `rule evaluation error: ${error.message} evaluating rule: ${rule.message ?? rule.rule}`;
    throw error;
  }
  if (rule.messageExpression !== undefined) {
    try {
      const message = programOf(rule.messageExpression).run(variables);
      if (typeof message === 'string' && message.trim() !== '') return message;
    } catch (error) {
      if (!(error instanceof CelRuntimeError)) throw error;
    }
  }
  return rule.message ?? `failed rule: ${rule.rule}`;
}
