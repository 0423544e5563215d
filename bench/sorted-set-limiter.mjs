// The sliding window that most articles show: every request is a member of a sorted set, scored by its time. Refused requests count as well.
let requests = 0;

/** Returns a function that tells whether one more request of `key` is within `limit` per `windowMs`. */
export function createSortedSetLimiter(redis, { name, limit, windowMs }) {
  return async (key) => {
    const now = Date.now();
    const set = `zset:${name}:${key}`;
    const replies = await redis
      .multi()
      .zremrangebyscore(set, 0, now - windowMs)
      .zadd(set, now, `${now}:${process.pid}:${requests++}`)
      .zcard(set)
      .pexpire(set, windowMs)
      .exec();
    return replies[2][1] <= limit;
  };
}
