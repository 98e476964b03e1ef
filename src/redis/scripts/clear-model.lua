-- The probe of a model went well: it may be used again by all. Atomic, idempotent.
-- KEYS: cooldowns, waiting
-- ARGV: model, task, channel
-- Returns the ids of the tasks that waited for it; none when the task is not its probe.
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if not entry or string.match(entry, '^%d+ %d+ %d+ (.*)$') ~= ARGV[2] then return {} end
local waiting = redis.call('ZRANGE', KEYS[2], 0, -1)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[3], '0 ' .. ARGV[1])
return waiting
