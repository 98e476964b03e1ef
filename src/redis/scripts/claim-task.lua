-- Takes a task for one delivery: raises fence and attempt, counts the delivery, starts the log. Atomic.
-- KEYS: task, log, state:waiting, state:delayed, state:running, state:failed, finished
-- ARGV: id, queue of the delivery, worker, now, most deliveries, live channel, error if poisoned, log age in ms
-- Returns {status, field, value, …}; status is gone, finished, moved, poisoned or claimed.
local function has(value) return value and value ~= '' end
local head = redis.call('HMGET', KEYS[1], 'state', 'queue', 'deliveries', 'seq', 'createdAt', 'route', 'startedAt')
local state, queue = head[1], head[2]
if not state then return {'gone'} end
if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return {'finished'} end
if queue ~= ARGV[2] then return {'moved'} end

local id, now = ARGV[1], ARGV[4]
local deliveries, seq = tonumber(head[3] or '0') + 1, tonumber(head[4] or '0')
local entries = {}
local function append(json)
  seq = seq + 1
  entries[#entries + 1] = json
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', json)
end
local first = seq + 1
if seq == 0 then
  append('{"type":"task-queued","at":' .. head[5] .. ',"attempt":0,"queue":"' .. queue .. '"}')
  append('{"type":"task-routed","at":' .. head[5] .. ',"attempt":0,"route":' .. head[6] .. '}')
end

if deliveries > tonumber(ARGV[5]) then
  append('{"type":"task-finished","at":' .. now .. ',"attempt":' .. (redis.call('HGET', KEYS[1], 'attempt') or '0')
    .. ',"state":"failed","error":' .. ARGV[7] .. '}')
  redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[7], 'finishedAt', now, 'seq', seq)
  redis.call('HINCRBY', KEYS[1], 'fence', 1)
  redis.call('ZREM', KEYS[3], id) redis.call('ZREM', KEYS[4], id) redis.call('ZREM', KEYS[5], id)
  redis.call('ZADD', KEYS[6], 0, id)
  redis.call('ZADD', KEYS[7], now, id)
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
  redis.call('PUBLISH', ARGV[6], first .. ' [' .. table.concat(entries, ',') .. ']')
  return {'poisoned'}
end

local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HINCRBY', KEYS[1], 'fence', 1)
append('{"type":"attempt-started","at":' .. now .. ',"attempt":' .. attempt .. '}')
redis.call('HSET', KEYS[1], 'state', 'running', 'deliveries', deliveries, 'seq', seq, 'worker', ARGV[3])
if not has(head[7]) then redis.call('HSET', KEYS[1], 'startedAt', now) end
if state ~= 'running' then
  redis.call('ZREM', state == 'waiting' and KEYS[3] or KEYS[4], id)
  redis.call('ZADD', KEYS[5], 0, id)
end
redis.call('PUBLISH', ARGV[6], first .. ' [' .. table.concat(entries, ',') .. ']')
local reply = redis.call('HGETALL', KEYS[1])
table.insert(reply, 1, 'claimed')
return reply
