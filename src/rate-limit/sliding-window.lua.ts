/**
 * The rules of `sliding-window.ts` in Lua: parts of scripts, because what is shared by calling functions costs a script more than what it does.
 *
 * A log is a string of pieces of 13 bytes, oldest first: an instant (7 bytes, µs) and what had been admitted up to it since the key began (6 bytes). The first piece is
 * the anchor, which tells what went before; every other is an entry. So entry `i` begins after `i * 13` bytes, and cutting the oldest off is taking the rest.
 */

/** What looking finds: local variables of the script. */
export const FOUND_IN_LOG = `local count, from, before, fits, remaining, retry, reset`;

/**
 * From `log` (or false), `last` and `total` of its last entry (or 0), `now`, `window`, `limit` and `cost`: which entries count (`from` to `count`), what was admitted `before` them,
 * and where the client stands.
 */
export const LOOK_AT_LOG = `
count, from, before, retry, reset = 0, 1, 0, 0, 0
if log then
  local cutoff, _, first = now - window
  count = #log / 13 - 1
  _, before, first = struct.unpack('<I7I6I7', log)
  if first <= cutoff then
    local low, high = 2, 2 -- Few are dead most often, because every new entry cuts them off: in steps that double, then by halves.
    while high <= count and struct.unpack('<I7', log, high * 13 + 1) <= cutoff do low, high = high + 1, high * 2 end
    if high > count then high = count + 1 end
    while low < high do
      local middle = math.floor((low + high) / 2)
      if struct.unpack('<I7', log, middle * 13 + 1) > cutoff then high = middle else low = middle + 1 end
    end
    from, before = low, struct.unpack('<I6', log, low * 13 - 5)
  end
end
local used = total - before
fits, remaining = used + cost <= limit, limit - used
if used > 0 then reset = last + window end
if not fits and cost > limit then
  retry = -1
elseif not fits then
  local needed, low, high = total + cost - limit, from, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if struct.unpack('<I6', log, middle * 13 + 8) >= needed then high = middle else low = middle + 1 end
  end
  retry = struct.unpack('<I7', log, low * 13 + 1) + window
end
`;

/**
 * Counts `cost` at `now` in the log called `name`, from what looking found; what does not count any more is cut off. `grain`: microseconds that share an entry; `ttl`: for
 * how many milliseconds the log is kept.
 */
export const ADD_TO_LOG = `
if cost > 0 then
  if log then
    local isShared = from <= count and (last == now or (grain > 0 and last >= now - now % grain))
    if isShared or from > 1 then log = string.sub(log, from * 13 - 12, isShared and -14 or -1) end
    if before >= 2 ^ 46 then -- Totals begin anew, before 48 bits are too few for them.
      local pieces = {}
      for at = 1, #log, 13 do
        local instant, sum = struct.unpack('<I7I6', log, at)
        pieces[#pieces + 1] = struct.pack('<I7I6', instant, sum - before)
      end
      log, total = table.concat(pieces), total - before
    end
    log = log .. struct.pack('<I7I6', now, total + cost)
  else
    log = struct.pack('<I7I6I7I6', now - 1, 0, now, cost)
  end
  redis.call('SET', name, log, 'PX', ttl)
end
`;
