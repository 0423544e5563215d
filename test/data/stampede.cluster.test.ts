import { testClusterNodes } from '../support/connections.ts';
import { describeStampedes, openProcesses } from './stampede.ts';

describeStampedes(
  'Cluster',
  openProcesses(2, () => ({ cluster: testClusterNodes() })),
);
