import type { ApiObject, KindDefinition, PrinterColumn, Table, TableOptions } from '../contracts.ts';
import { builtinTables } from './builtin-tables.ts';
import type { Column } from './columns.ts';
import { age } from './durations.ts';
import { compileJsonPath } from './json-path.ts';

/** Printed where a custom resource has no value. */
const nothing = null;

const nameColumn: Column = { name: 'Name', format: 'name', description: 'name', cell: ({ metadata }) => metadata.name };
const createdColumn: Column = {
  name: 'Created At',
  type: 'date',
  description: 'created',
  cell: ({ metadata }) => metadata.creationTimestamp,
};
const ageColumn: Column = { name: 'Age', cell: ({ metadata }, now) => age(metadata.creationTimestamp, now) };

/** A meta.k8s.io/v1 Table without its list metadata. */
export function tableOf(kind: KindDefinition, objects: readonly ApiObject[], options: TableOptions): Table {
  const columns = columnsOf(kind);
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'Table',
    columnDefinitions: columns.map((column) => ({
      name: column.name,
      type: column.type ?? 'string',
      format: column.format ?? '',
      description: column.description ?? '',
      priority: column.wide ? 1 : (column.priority ?? 0),
    })),
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, options.now) ?? nothing),
      ...included(object, options),
    })),
  };
}

function included(object: ApiObject, { includeObject }: TableOptions): { object?: object } {
  if (includeObject === 'None') return {};
  if (includeObject === 'Object') return { object };
  return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata } };
}

function columnsOf(kind: KindDefinition): readonly Column[] {
  if (!kind.custom) return builtinTables[`${kind.type.group}/${kind.type.kind}`] ?? [nameColumn, createdColumn];
  const { columns } = kind.custom;
  return [nameColumn, ...(columns.length === 0 ? [ageColumn] : columns.map(customColumn))];
}

const compiled = new WeakMap<PrinterColumn, Column>();

function customColumn(column: PrinterColumn): Column {
  let result = compiled.get(column);
  if (!result) {
    const path = compileJsonPath(column.jsonPath);
    const { name, type, format, priority } = column;
    const description = column.description ?? `Custom resource definition column (in JSONPath format): ${column.jsonPath}`;
    result = { name, type, format, description, priority, cell: (object, now) => customCell(path?.(object) ?? [], type, now) };
    compiled.set(column, result);
  }
  return result;
}

function customCell(values: unknown[], type: string, now: Date): unknown {
  const [value] = values;
  if (value === undefined || value === null) return nothing;
  if (type === 'date') return age(value, now);
  if (type === 'string') return values.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join(',');
  if (type === 'integer') return typeof value === 'number' ? Math.trunc(value) : nothing;
  if (type === 'number') return typeof value === 'number' ? value : nothing;
  return type === 'boolean' && typeof value !== 'boolean' ? nothing : value;
}
