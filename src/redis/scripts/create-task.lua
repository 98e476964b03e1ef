-- Writes the record of a new task and indexes it. Atomic.
-- KEYS: task, tasks, live
-- ARGV: id, most tasks that may be live, then field, value, …
-- Returns how many tasks live, this one included; -1 when it was there already; -2 when too many live.
local live = redis.call('ZCARD', KEYS[3])
if live >= tonumber(ARGV[2]) then return redis.call('EXISTS', KEYS[1]) == 1 and -1 or -2 end
if redis.call('ZADD', KEYS[2], 0, ARGV[1]) == 0 then return -1 end
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return live + 1
