-- Removes a finished task: record, log and indexes. Atomic.
-- KEYS: task, log, tasks, finished, state:failed, state:cancelled
-- ARGV: id
-- Returns {status, queue}; status is gone, unfinished or removed.
local head = redis.call('HMGET', KEYS[1], 'state', 'queue')
local state = head[1]
if not state then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return {'gone', ''}
end
if state ~= 'succeeded' and state ~= 'failed' and state ~= 'cancelled' then return {'unfinished', head[2]} end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
return {'removed', head[2]}
