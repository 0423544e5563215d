import { testCluster } from '../support/connections.ts';
import { describeLeases } from './lease-steps.ts';

describeLeases('Cluster', testCluster);
