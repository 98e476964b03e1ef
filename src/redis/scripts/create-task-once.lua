-- As create-task, unless the idempotency key was used before. Atomic.
-- KEYS: task, tasks, live, idempotency key
-- ARGV: id, most tasks that may be live, the answer to keep, its age in ms, then field, value, …
-- Returns the answer that is kept; -2 when too many live, and then nothing is written.
local first = redis.call('GET', KEYS[4])
if first then return first end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[2]) then return -2 end
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
return ARGV[3]
