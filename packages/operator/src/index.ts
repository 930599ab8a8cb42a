export { applyCrds, celQuantitiesSince, crds, forServer } from './crds/apply-crds.ts';
export { startOperator, type OperatorOptions } from './operator.ts';
