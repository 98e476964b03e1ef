-- Removes a finished task: record, log and indexes. Atomic.
-- KEYS: task, log, tasks, finished, state:failed, state:cancelled, children
-- ARGV: id
-- Returns {status, queue}; status is gone, unfinished or removed.
local head = redis.call('HMGET', KEYS[1], 'state', 'queue')
local state = head[1]
if state == 'waiting' or state == 'delayed' or state == 'running' then return {'unfinished', head[2]} end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[7])
for i = 3, 6 do redis.call('ZREM', KEYS[i], ARGV[1]) end
return {state and 'removed' or 'gone', head[2] or ''}
