-- Takes a task for one delivery: raises fence and attempt and counts the delivery. Atomic.
-- It writes no events: the first write of the worker begins with those that say so.
-- KEYS: task, log, live, failed, finished
-- ARGV: id, queue of the delivery, worker, now, most deliveries, live channel, error if poisoned, log age in ms,
--       then the fields to give back
-- Returns {status, fence, attempt, seq, startedAt, values…}; status is gone, finished, moved, poisoned or claimed.
local head = redis.call('HMGET', KEYS[1],
  'state', 'queue', 'deliveries', 'seq', 'startedAt', 'attempt', 'fence', unpack(ARGV, 9))
local state = head[1]
if not state then return {'gone'} end
if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return {'finished'} end
if head[2] ~= ARGV[2] then return {'moved'} end
local deliveries, attempt = tonumber(head[3] or '0') + 1, tonumber(head[6] or '0') + 1
local seq, fence = tonumber(head[4] or '0'), tonumber(head[7] or '0') + 1

if deliveries > tonumber(ARGV[5]) then
  local batch = '[{"type":"task-finished","at":' .. ARGV[4] .. ',"attempt":' .. (attempt - 1)
    .. ',"state":"failed","error":' .. ARGV[7] .. '}]'
  redis.call('XADD', KEYS[2], (seq + 1) .. '-0', 'e', batch)
  redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[7], 'finishedAt', ARGV[4], 'seq', seq + 1, 'fence', fence)
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], 0, ARGV[1])
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
  redis.call('PUBLISH', ARGV[6], (seq + 1) .. ' ' .. batch)
  return {'poisoned'}
end

local startedAt = head[5] or ARGV[4]
redis.call('HSET', KEYS[1], 'state', 'running', 'deliveries', deliveries, 'worker', ARGV[3],
  'attempt', attempt, 'fence', fence, 'startedAt', startedAt)
return {'claimed', fence, attempt, seq, startedAt, unpack(head, 8, 7 + #ARGV - 8)}
