-- Ends a task that waits. Atomic, idempotent. With state cancelled it asks the worker of a running task to end it;
-- with state failed it leaves alone what has started once.
-- KEYS: task, log, live, cancelled or failed, finished, tombstones
-- ARGV: id, now, live channel, state, error, log age in ms or '' to keep it, control channel
-- Returns {status, queue}; status is gone, finished, requested, started, or the state it has now.
local head = redis.call('HMGET', KEYS[1], 'state', 'queue', 'seq', 'createdAt', 'route', 'attempt',
  'checkpoint', 'server', 'sessionID', 'directory', 'waitingFor', 'startedAt',
  'waiter')
local state = head[1]
if not state then return {'gone', ''} end
if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return {'finished', head[2]} end
if ARGV[4] == 'failed' and (state == 'running' or (head[12] and head[12] ~= '')) then return {'started', head[2]} end
if state == 'running' then
  redis.call('HSETNX', KEYS[1], 'cancelAt', ARGV[2])
  redis.call('PUBLISH', ARGV[7], 'cancel ' .. ARGV[1])
  return {'requested', head[2]}
end
local seq = tonumber(head[3] or '0')
local first, events = seq + 1, {}
if seq == 0 then
  events[1] = '{"type":"task-queued","at":' .. head[4] .. ',"attempt":0,"queue":"' .. head[2] .. '"}'
  events[2] = '{"type":"task-routed","at":' .. head[4] .. ',"attempt":0,"route":' .. head[5] .. '}'
  if head[11] and head[11] ~= '' then
    events[3] = '{"type":"task-parked","at":' .. head[4] .. ',"attempt":0,"waitingFor":' .. head[11] .. '}'
  end
end
events[#events + 1] = '{"type":"task-finished","at":' .. ARGV[2] .. ',"attempt":' .. (head[6] or '0')
  .. ',"state":"' .. ARGV[4] .. '","error":' .. ARGV[5] .. '}'
seq = seq + #events
local batch = first .. ' [' .. table.concat(events, ',') .. ']'
redis.call('XADD', KEYS[2], seq .. '-0', 'e', batch)
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'error', ARGV[5], 'finishedAt', ARGV[2], 'seq', seq)
redis.call('HINCRBY', KEYS[1], 'fence', 1)
if head[7] and head[7] ~= '' then
  -- Handed over or put off in the middle of a turn, which may still run, or be sent by a worker that sleeps.
  redis.call('ZADD', KEYS[6], ARGV[2], cjson.encode({ARGV[1], head[8], head[9], head[10] or '', head[7]}))
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], 0, ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1])
if ARGV[6] ~= '' then redis.call('PEXPIRE', KEYS[2], ARGV[6]) end
redis.call('PUBLISH', ARGV[3], batch)
if head[13] then
  redis.call('PUBLISH', string.sub(KEYS[1], 1, -7 - #ARGV[1]) .. ':ends:' .. head[13], ARGV[1] .. ' ' .. batch)
end
return {ARGV[4], head[2]}
