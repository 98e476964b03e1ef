-- Fails a task that never started. Atomic, idempotent.
-- KEYS: task, log, live, failed, finished
-- ARGV: id, now, live channel, error
-- Returns 1; 0 and nothing when it runs, has run, or is over.
local head = redis.call('HMGET', KEYS[1], 'state', 'queue', 'seq', 'createdAt', 'route', 'attempt', 'startedAt',
  'waitingFor')
if head[1] ~= 'waiting' and head[1] ~= 'delayed' then return 0 end
if head[7] and head[7] ~= '' then return 0 end
local seq = tonumber(head[3] or '0')
local first, events = seq + 1, {}
if seq == 0 then
  events[1] = '{"type":"task-queued","at":' .. head[4] .. ',"attempt":0,"queue":"' .. head[2] .. '"}'
  events[2] = '{"type":"task-routed","at":' .. head[4] .. ',"attempt":0,"route":' .. head[5] .. '}'
  if head[8] and head[8] ~= '' then
    events[3] = '{"type":"task-parked","at":' .. head[4] .. ',"attempt":0,"waitingFor":' .. head[8] .. '}'
  end
end
events[#events + 1] = '{"type":"task-finished","at":' .. ARGV[2] .. ',"attempt":' .. (head[6] or '0')
  .. ',"state":"failed","error":' .. ARGV[4] .. '}'
seq = seq + #events
local batch = '[' .. table.concat(events, ',') .. ']'
redis.call('XADD', KEYS[2], seq .. '-0', 'e', batch)
redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[4], 'finishedAt', ARGV[2], 'seq', seq)
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], 0, ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1])
redis.call('PUBLISH', ARGV[3], first .. ' ' .. batch)
return 1
