import { createKeys } from '../../src/redis/keys.ts';
import { uniquePrefix } from '../support/connections.ts';
import { lockStories } from './lock-stories.ts';

const place = { connection: undefined, keys: createKeys(uniquePrefix()) };
lockStories(() => place);
