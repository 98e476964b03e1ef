-- The one write of a worker, for all of its tasks that have something to say: fields, events and a change of state
-- together, or nothing. Atomic. The events of one write are one entry of the stream, a JSON array under the seq of its
-- last event. Repeating a write whose reply was lost changes nothing, since it names the seq it follows.
-- A task that is over lets go of the line of its session, of its limits and of its money in the same step, and tells the
-- process that waits for it.
-- KEYS: live, finished, ledger of the day, then each task
-- ARGV: root of the keys, log age in ms, most events in a log, when the ledger expires (epoch s), minute of the limits in
--       ms, a batch of quotas.lua as JSON of what those let go of that are over then, or '', then of each task: how many
--       arguments follow; id, fence, seq of the next event, seq after, now, to (or ''), the events as a JSON array, number
--       of what follows for the ledger, ledger field, increase, …, field, value, …
-- Needs line.lua and quotas.lua.
-- Returns to each {seq after, 1 when a cancel was requested, the ids of those who may try now}; {-1} for a stale fence;
-- {-2, seq} for another seq. With a batch one more: {now, tasks that may try now}; {now} alone: other starts of windows
-- are needed, and nothing was let go of.
local function write_tasks(KEYS, ARGV)
  local root, logAgeMs, maxEvents = ARGV[1], ARGV[2], tonumber(ARGV[3])
  -- What is said once for all tasks: ids that are over, the same with the time, increases by field of the ledger.
  local over, isOver, overAt, increases = {}, {}, {}, {}

  local function write(task, from, last)
    local id, fence, first, after, now, to, events, entries = unpack(ARGV, from, from + 7)
    local head = redis.call('HMGET', task, 'fence', 'seq', 'cancelAt', 'state', 'line', 'waiter')
    if head[1] ~= fence then return {-1} end
    -- As text they go where they came from: Redis takes long to print a number of Lua.
    local seq, before, last_seq = tonumber(head[2] or '0'), first - 1, tonumber(after)
    local isEnd = to ~= '' and to ~= 'waiting' and to ~= 'delayed'
    local isRepeat = seq == last_seq and (last_seq > before or head[4] == to)
    if not isRepeat then
      if seq ~= before then return {-2, seq} end
      if head[4] ~= 'running' then return {-1} end

      local log, fields = root .. ':log:' .. id, from + 8 + entries
      if last_seq > before then
        redis.call('XADD', log, after .. '-0', 'e', events)
        redis.call('PUBLISH', root .. ':channel:' .. id, first .. ' ' .. events)
        if last_seq > maxEvents then redis.call('XTRIM', log, 'MINID', '~', last_seq - maxEvents) end
      end
      if to == '' then
        redis.call('HSET', task, 'seq', after, unpack(ARGV, fields, last))
      elseif not isEnd then
        redis.call('HSET', task, 'seq', after, 'state', to, unpack(ARGV, fields, last))
        redis.call('HINCRBY', task, 'deliveries', -1)
      else
        redis.call('HSET', task, 'seq', after, 'state', to, 'finishedAt', now, unpack(ARGV, fields, last))
        over[#over + 1], isOver[id] = id, true
        overAt[#overAt + 1], overAt[#overAt + 2] = now, id
        -- Most tasks succeed, so those have no set of their own.
        if to ~= 'succeeded' then redis.call('ZADD', root .. ':ended:' .. to, 0, id) end
        if head[6] then redis.call('PUBLISH', root .. ':ends:' .. head[6], id .. ' ' .. events) end
        -- The log of a task that failed is kept as long as the task.
        if to ~= 'failed' then redis.call('PEXPIRE', log, logAgeMs) end
      end
      for i = from + 8, fields - 1, 2 do
        increases[ARGV[i]] = (increases[ARGV[i]] or 0) + ARGV[i + 1]
      end
    end
    local cancel = head[3] and 1 or 0
    if isEnd and head[5] then return {last_seq, cancel, leave_line(root, head[5], id)} end
    return {last_seq, cancel}
  end

  local replies, from = {}, 7
  for i = 4, #KEYS do
    local last = from + ARGV[from]
    replies[#replies + 1] = write(KEYS[i], from + 1, last)
    from = last + 1
  end

  if #over > 0 then
    redis.call('ZREM', KEYS[1], unpack(over))
    redis.call('ZADD', KEYS[2], unpack(overAt))
  end
  local isNew = false
  for field, increase in pairs(increases) do
    -- Whatever is new in it may be the first of its day.
    if redis.call('HINCRBY', KEYS[3], field, increase) == increase then isNew = true end
  end
  if isNew then redis.call('EXPIREAT', KEYS[3], ARGV[4]) end

  if ARGV[6] ~= '' then
    local batch = cjson.decode(ARGV[6])
    local quotas, now = open_quotas(root, tonumber(ARGV[5]), batch)
    for _, ask in ipairs(quotas and batch.asks or {}) do
      if isOver[ask[1]] then quotas.perform(ask) end
    end
    replies[#replies + 1] = { now, quotas and quotas.finish() or nil }
  end
  return replies
end
