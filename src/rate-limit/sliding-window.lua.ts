/**
 * The rules of `sliding-window.ts` in Lua: parts of scripts, because what is shared by calling functions costs a script more than what it does.
 *
 * A log is a string. It begins with 20 bytes: the anchor, which is an instant (7 bytes, µs) and what had been admitted up to it since the key began (6 bytes), and the instant
 * until which the key lives (7 bytes). Then come the entries, oldest first, 13 bytes each: instant and what had been admitted up to it. So entry `i` begins after
 * `i * 13 + 7` bytes.
 */

/** What looking finds: local variables of the script. */
export const FOUND_IN_LOG = `local count, from, born, before, lives, fits, remaining, retry, reset`;

/**
 * From `log` (or false), `last` and `total` of its last entry (or 0), `now`, `window`, `limit` and `cost`: which entries count (`from` to `count`), what the anchor in front of
 * them would be (`born`, `before`), until when the key `lives`, and where the client stands.
 */
export const LOOK_AT_LOG = `
count, from, born, before, lives, retry, reset = 0, 1, 0, 0, 0, 0, 0
if log then
  local cutoff, first = now - window
  count = (#log - 20) / 13
  born, before, lives, first = struct.unpack('<I7I6I7I7', log)
  if first <= cutoff then
    local low, high = 2, 2 -- Few are dead most often, because new entries cut them off: in steps that double, then by halves.
    while high <= count and struct.unpack('<I7', log, high * 13 + 8) <= cutoff do low, high = high + 1, high * 2 end
    if high > count then high = count + 1 end
    while low < high do
      local middle = math.floor((low + high) / 2)
      if struct.unpack('<I7', log, middle * 13 + 8) > cutoff then high = middle else low = middle + 1 end
    end
    from = low
    born, before = struct.unpack('<I7I6', log, low * 13 - 5)
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
    if struct.unpack('<I6', log, middle * 13 + 15) >= needed then high = middle else low = middle + 1 end
  end
  retry = struct.unpack('<I7', log, low * 13 + 8) + window
end
`;

/**
 * Counts `cost` at `now` in the log called `name`, from what looking found. `grain`: microseconds that share an entry. What is shared changes the last entry alone, as long
 * as the key lives long enough: that is what most requests of busy clients cost. A new entry cuts off what does not count any more.
 */
export const ADD_TO_LOG = `
if cost > 0 then
  local grain = grain == 0 and count - from >= limit and math.ceil(window / 60) or grain -- More entries than the limit are not admissions.
  local isShared = from <= count and (last == now or (grain > 0 and last >= now - now % grain))
  if isShared and now + window <= lives and total + cost < 2 ^ 47 then
    redis.call('SETRANGE', name, #log - 13, struct.pack('<I7I6', now, total + cost))
  else
    local entries = ''
    if log then entries = string.sub(log, from * 13 + 8, isShared and -14 or -1) else born = now - 1 end
    if total + cost >= 2 ^ 47 then -- Totals begin anew, before 48 bits are too few for them. Of what is used more is forgotten than any limit allows.
      local less, pieces = math.max(before, total + cost - 2 ^ 47), {}
      for at = 1, #entries, 13 do
        local instant, sum = struct.unpack('<I7I6', entries, at)
        pieces[#pieces + 1] = struct.pack('<I7I6', instant, math.max(0, sum - less))
      end
      entries, total, before = table.concat(pieces), total - less, 0
    end
    lives = now + window + math.floor(math.min(grain, window / 8))
    log = struct.pack('<I7I6I7', born, before, lives) .. entries .. struct.pack('<I7I6', now, total + cost)
    -- Redis counts from the whole millisecond in which the script began: one more, or a log would go too early.
    redis.call('PSETEX', name, math.ceil((lives - clock) / 1000) + 1, log)
  end
end
`;
