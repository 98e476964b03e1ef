-- The one write of a worker, for all of its tasks that have something to say: fields, events and a change of state
-- together, or nothing. Atomic. The events of one write are one entry of the stream, a JSON array under the seq of its
-- last event. Repeating a write whose reply was lost changes nothing, since it names the seq it follows.
-- A task that is over lets go of the line of its session in the same step, and tells the process that waits for it.
-- KEYS: live, finished, then each task
-- ARGV: root of the keys, log age in ms, most events in a log, then of each task: how many arguments follow; id, fence,
--       seq before, now, to (or ''), number of events, the events as a JSON array, ledger of the day, when that expires
--       (epoch s), number of what follows for the ledger, ledger field, increase, …, field, value, …
-- Needs line.lua.
-- Returns to each {seq after, 1 when a cancel was requested, the ids of those who may try now}; {-1} for a stale fence;
-- {-2, seq} for another seq.
local root, logAgeMs, maxEvents = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function write(task, from, last)
  local id, fence, before, now, to, count, events, ledger, expiresAt, entries = unpack(ARGV, from, from + 9)
  local head = redis.call('HMGET', task, 'fence', 'seq', 'cancelAt', 'state', 'line', 'waiter')
  if not head[1] or head[1] ~= fence then return {-1} end
  local seq, cancel = tonumber(head[2] or '0'), head[3] and 1 or 0
  before, count = tonumber(before), tonumber(count)
  local after, fields = before + count, from + 10 + tonumber(entries)
  local isEnd = to ~= '' and to ~= 'waiting' and to ~= 'delayed'
  local function answer()
    if not isEnd or not head[5] then return {after, cancel} end
    return {after, cancel, leave_line(root, head[5], id)}
  end
  if seq == after and (count > 0 or head[4] == to) then return answer() end
  if seq ~= before then return {-2, seq} end
  if head[4] ~= 'running' then return {-1} end

  local log = root .. ':log:' .. id
  if count > 0 then
    redis.call('XADD', log, after .. '-0', 'e', events)
    redis.call('PUBLISH', root .. ':channel:' .. id, (seq + 1) .. ' ' .. events)
    if after > maxEvents then redis.call('XTRIM', log, 'MINID', '~', after - maxEvents) end
  end
  if to == '' then
    redis.call('HSET', task, 'seq', after, unpack(ARGV, fields, last))
  elseif not isEnd then
    redis.call('HSET', task, 'seq', after, 'state', to, unpack(ARGV, fields, last))
    redis.call('HINCRBY', task, 'deliveries', -1)
  else
    redis.call('HSET', task, 'seq', after, 'state', to, 'finishedAt', now, unpack(ARGV, fields, last))
    redis.call('ZREM', KEYS[1], id)
    -- Most tasks succeed, so those have no set of their own.
    if to ~= 'succeeded' then redis.call('ZADD', root .. ':ended:' .. to, 0, id) end
    redis.call('ZADD', KEYS[2], now, id)
    if head[6] then redis.call('PUBLISH', root .. ':ends:' .. head[6], id .. ' ' .. events) end
    -- The log of a task that failed is kept as long as the task.
    if to ~= 'failed' then redis.call('PEXPIRE', log, logAgeMs) end
  end
  for i = from + 10, fields - 1, 2 do
    -- Whatever is new in it may be the first of its day.
    if redis.call('HINCRBY', ledger, ARGV[i], ARGV[i + 1]) == tonumber(ARGV[i + 1]) then
      redis.call('EXPIREAT', ledger, expiresAt)
    end
  end
  return answer()
end

local replies, from = {}, 4
for i = 3, #KEYS do
  local last = from + tonumber(ARGV[from])
  replies[#replies + 1] = write(KEYS[i], from + 1, last)
  from = last + 1
end
return replies
