import type { ApiObject } from '../contracts.ts';
import { age } from './durations.ts';

export interface Column {
  name: string;
  /** Default `string`. */
  type?: string;
  format?: string;
  description?: string;
  /** Shown by `-o wide` only. */
  wide?: boolean;
  priority?: number;
  cell(object: ApiObject, now: Date): unknown;
}

type Cell = Column['cell'];

export const text = (name: string, cell: Cell): Column => ({ name, cell });
export const wide = (name: string, cell: Cell): Column => ({ name, cell, wide: true });
export const count = (name: string, cell: Cell): Column => ({ name, type: 'integer', cell: (object, now) => cell(object, now) ?? 0 });
export const named: Column = { name: 'Name', format: 'name', cell: ({ metadata }) => metadata.name };
export const aged: Column = text('Age', ({ metadata }, now) => age(metadata.creationTimestamp, now));
