import { testClusterNodes } from '../support/connections.ts';
import { describeProcesses } from './coalescing-stories.ts';

describeProcesses('Cluster', () => ({ cluster: testClusterNodes() }));
