export * from './catalog.ts';
export * from './engine.ts';
