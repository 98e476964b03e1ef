-- The one write of a worker: fields, events and a change of state together, or nothing. Atomic.
-- The events of one write are one entry of the stream, a JSON array under the seq of its last event.
-- Repeating a write whose reply was lost changes nothing, since it names the seq it follows.
-- KEYS: task, log, live, <to> (or live), finished, ledger of the day (or live)
-- ARGV: id, fence, seq before, now, live channel, to (or ''), log age in ms, most events in the log,
--       number of events, the events as a JSON array, number of what follows for the ledger, when that expires
--       (epoch s), ledger field, increase, …, field, value, …
-- A task that is over lets go of the line of its session in the same step, and tells the process that waits for it.
-- Needs line.lua.
-- Returns {seq after, 1 when a cancel was requested, the ids of those who may try now}; {-1} for a stale fence;
-- {-2, seq} for another seq.
local head = redis.call('HMGET', KEYS[1], 'fence', 'seq', 'cancelAt', 'state', 'line', 'waiter')
if not head[1] or head[1] ~= ARGV[2] then return {-1} end
local seq, before, count = tonumber(head[2] or '0'), tonumber(ARGV[3]), tonumber(ARGV[9])
local cancel = head[3] and 1 or 0
local to, last = ARGV[6], before + count
local fields = 13 + tonumber(ARGV[11])
local isEnd = to ~= '' and to ~= 'waiting' and to ~= 'delayed'
local root = string.sub(KEYS[1], 1, -7 - #ARGV[1])
local function answer()
  if not isEnd or not head[5] then return {last, cancel} end
  return {last, cancel, leave_line(root, head[5], ARGV[1])}
end
if seq == last and (count > 0 or head[4] == to) then return answer() end
if seq ~= before then return {-2, seq} end
if head[4] ~= 'running' then return {-1} end

if count > 0 then
  redis.call('XADD', KEYS[2], last .. '-0', 'e', ARGV[10])
  redis.call('PUBLISH', ARGV[5], (seq + 1) .. ' ' .. ARGV[10])
  if last > tonumber(ARGV[8]) then redis.call('XTRIM', KEYS[2], 'MINID', '~', last - tonumber(ARGV[8])) end
end
if to == '' then
  redis.call('HSET', KEYS[1], 'seq', last, unpack(ARGV, fields))
elseif not isEnd then
  redis.call('HSET', KEYS[1], 'seq', last, 'state', to, unpack(ARGV, fields))
  redis.call('HINCRBY', KEYS[1], 'deliveries', -1)
else
  redis.call('HSET', KEYS[1], 'seq', last, 'state', to, 'finishedAt', ARGV[4], unpack(ARGV, fields))
  redis.call('ZREM', KEYS[3], ARGV[1])
  -- Most tasks succeed, so those have no set of their own.
  if to ~= 'succeeded' then redis.call('ZADD', KEYS[4], 0, ARGV[1]) end
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
  if head[6] then redis.call('PUBLISH', root .. ':ends:' .. head[6], ARGV[1] .. ' ' .. ARGV[10]) end
  -- The log of a task that failed is kept as long as the task.
  if to ~= 'failed' then redis.call('PEXPIRE', KEYS[2], ARGV[7]) end
end
for i = 13, fields - 1, 2 do
  -- Whatever is new in it may be the first of its day.
  if redis.call('HINCRBY', KEYS[6], ARGV[i], ARGV[i + 1]) == tonumber(ARGV[i + 1]) then
    redis.call('EXPIREAT', KEYS[6], ARGV[12])
  end
end
return answer()
