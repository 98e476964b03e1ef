-- Puts a delayed job of BullMQ in front of all that wait in its queue: it has waited for its turn elsewhere. Atomic.
-- KEYS: delayed, wait, meta, active, marker, events, job
-- ARGV: id
-- Returns 1; 0 and nothing when it is not delayed.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
-- Whatever its priority: this list is served before the set of those that have one.
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[7], 'delay', 0)
redis.call('XADD', KEYS[6], '*', 'event', 'waiting', 'jobId', ARGV[1], 'prev', 'delayed')
local meta = redis.call('HMGET', KEYS[3], 'paused', 'concurrency')
local isMaxed = meta[2] and redis.call('LLEN', KEYS[4]) >= tonumber(meta[2])
if not meta[1] and not isMaxed then redis.call('ZADD', KEYS[5], 0, '0') end
return 1
