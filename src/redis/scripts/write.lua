-- The one write of a worker, for all of its tasks that have something to say: fields, events and a change of state
-- together, or nothing. Atomic. The events of one write are one entry of the stream, under the seq of the last: the seq of
-- the first, a space and a JSON array, which is what those who listen hear. Repeating a write whose reply was lost changes
-- nothing, since it names the seq it follows.
-- A task that is over lets go of the line of its session, of its limits and of its money in the same step, and tells the
-- process that waits for it.
-- KEYS: live, finished, ledger of the day, then each task
-- packed: root of the keys, log age in ms, most events in a log, when the ledger expires (epoch s), minute of the limits
--       in ms, a batch of quotas.lua of what those let go of that are over then, or false, and of each task {id, fence,
--       seq, seq after, now, to (or ''), place of its events in `texts`, {ledger field, increase, …}, {field, value,
--       …}}. Of the numbers that go back to Redis as text, since it takes long to print one of Lua: fence,
--       seq after, now.
-- texts: the events, which are long: Lua reads each byte of a text that it makes, and makes one more of what is packed
-- Needs line.lua and quotas.lua.
-- Returns to each {seq after, 1 when a cancel was requested, the ids of those who may try now}; {-1} for a stale fence;
-- {-2, seq} for another seq. With a batch one more: {now, tasks that may try now}; {now} alone: other starts of windows
-- are needed, and nothing was let go of.
local function write_tasks(KEYS, packed, texts)
  local root, logAgeMs, maxEvents, expiresAt, minuteMs, batch, writes = unpack(cmsgpack.unpack(packed))
  -- What is said once for all tasks: ids that are over, the same with the time, increases by field of the ledger.
  local over, isOver, overAt, increases = {}, {}, {}, {}

  local function write(task, id, fence, before, after, now, to, place, entries, fields)
    local head = redis.call('HMGET', task, 'fence', 'seq', 'cancelAt', 'state', 'line', 'waiter')
    if head[1] ~= fence then return {-1} end
    local seq, last_seq, events = tonumber(head[2] or '0'), tonumber(after), texts[place]
    local isEnd = to ~= '' and to ~= 'waiting' and to ~= 'delayed'
    local isRepeat = seq == last_seq and (last_seq > before or head[4] == to)
    if not isRepeat then
      if seq ~= before then return {-2, seq} end
      if head[4] ~= 'running' then return {-1} end

      local log = root .. ':log:' .. id
      if last_seq > before then
        redis.call('XADD', log, after .. '-0', 'e', events)
        redis.call('PUBLISH', root .. ':channel:' .. id, events)
        if last_seq > maxEvents then redis.call('XTRIM', log, 'MINID', '~', last_seq - maxEvents) end
      end
      if to == '' then
        redis.call('HSET', task, 'seq', after, unpack(fields))
      elseif not isEnd then
        redis.call('HSET', task, 'seq', after, 'state', to, unpack(fields))
        redis.call('HINCRBY', task, 'deliveries', -1)
      else
        redis.call('HSET', task, 'seq', after, 'state', to, 'finishedAt', now, unpack(fields))
        over[#over + 1], isOver[id] = id, true
        overAt[#overAt + 1], overAt[#overAt + 2] = now, id
        -- Most tasks succeed, so those have no set of their own.
        if to ~= 'succeeded' then redis.call('ZADD', root .. ':ended:' .. to, 0, id) end
        if head[6] then redis.call('PUBLISH', root .. ':ends:' .. head[6], id .. ' ' .. events) end
        -- The log of a task that failed is kept as long as the task.
        if to ~= 'failed' then redis.call('PEXPIRE', log, logAgeMs) end
      end
      for i = 1, #entries, 2 do
        increases[entries[i]] = (increases[entries[i]] or 0) + entries[i + 1]
      end
    end
    local cancel = head[3] and 1 or 0
    if isEnd and head[5] then return {last_seq, cancel, leave_line(root, head[5], id)} end
    return {last_seq, cancel}
  end

  local replies = {}
  for i, one in ipairs(writes) do replies[i] = write(KEYS[i + 3], unpack(one)) end

  if #over > 0 then
    redis.call('ZREM', KEYS[1], unpack(over))
    redis.call('ZADD', KEYS[2], unpack(overAt))
  end
  local isNew = false
  for field, increase in pairs(increases) do
    -- Whatever is new in it may be the first of its day.
    if redis.call('HINCRBY', KEYS[3], field, increase) == increase then isNew = true end
  end
  if isNew then redis.call('EXPIREAT', KEYS[3], expiresAt) end

  if batch then
    local quotas, now = open_quotas(root, minuteMs, batch)
    for i = 1, quotas and #quotas.ids or 0 do
      if isOver[quotas.ids[i]] then quotas.perform(i) end
    end
    replies[#replies + 1] = { now, quotas and quotas.finish() or nil }
  end
  return replies
end
