-- Writes the record of a new task and indexes it. Atomic.
-- KEYS: task, tasks, state:<first state>, state:waiting, state:delayed
-- ARGV: id, most tasks that may wait, then field, value, …
-- Returns how many tasks wait, this one included; -1 when it was there already; -2 when too many wait.
if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local waiting = redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5])
if waiting >= tonumber(ARGV[2]) then return -2 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return waiting + 1
