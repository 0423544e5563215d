import { connectionOf } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { testCluster, uniquePrefix } from '../support/connections.ts';
import { lockStories } from './lock-stories.ts';

const keys = createKeys(uniquePrefix());
const connections = [1, 2].map(() => connectionOf(testCluster(), 5_000));
let opened = 0;

lockStories(() => ({ connection: connections[opened++ % 2], keys }));
