export { startCluster, type ClusterOptions, type EmbeddedCluster } from './cluster.ts';
