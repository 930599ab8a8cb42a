import { describe, expect, it } from 'vitest';
import { covers } from './covers.ts';

describe('covers', () => {
  it.each([
    ['what is the same', { a: { b: [1, 2] } }, { a: { b: [1, 2] } }],
    ['defaults of the server', { a: 1, b: 2 }, { a: 1 }],
    ['fields that are not wanted', { a: 1 }, { a: 1, b: undefined }],
    ['quantities in another form', { cpu: '100m', memory: '1Gi' }, { cpu: '0.1', memory: '1024Mi' }],
    [
      'items of others in a list with names',
      {
        env: [
          { name: 'x', value: '1' },
          { name: 'y', value: '2' },
        ],
      },
      { env: [{ name: 'y', value: '2' }] },
    ],
    ['an empty map that the server leaves out', {}, { emptyDir: {} }],
    ['an empty list that it leaves out', {}, { args: [] }],
    ['an empty text that it leaves out', { env: [{ name: 'x' }] }, { env: [{ name: 'x', value: '' }] }],
    ['a quantity that was given as a number', { cpu: '1', memory: '1k' }, { cpu: 1, memory: 1000 }],
  ])('accepts %s', (_, live, wanted) => expect(covers(live, wanted)).toBe(true));

  it.each([
    ['another value', { a: 1 }, { a: 2 }],
    ['a missing field', {}, { a: 1 }],
    ['a text that became empty', { env: [{ name: 'x', value: '1' }] }, { env: [{ name: 'x', value: '' }] }],
    ['a list that became empty', { args: ['a'] }, { args: [] }],
    ['a switch that is not there', {}, { automountServiceAccountToken: false }],
    ['another amount', { memory: '1Gi' }, { memory: '1G' }],
    ['a shorter list', { args: ['a'] }, { args: ['a', 'b'] }],
    ['a longer list of plain values', { args: ['a', 'b'] }, { args: ['a'] }],
    ['an item that is gone', { env: [{ name: 'x', value: '1' }] }, { env: [{ name: 'y', value: '2' }] }],
    ['an item with another value', { ports: [{ name: 'x', port: 1 }] }, { ports: [{ name: 'x', port: 2 }] }],
    ['a list in place of a map', { a: [] }, { a: { b: 1 } }],
  ])('rejects %s', (_, live, wanted) => expect(covers(live, wanted)).toBe(false));
});
