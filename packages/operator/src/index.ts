export { applyCrds, crds } from './crds/apply-crds.ts';
export { startOperator, type OperatorOptions } from './operator.ts';
