-- Lets a task go from a gate, whether it holds it or waits there, and tells who may try now. Atomic, idempotent.
-- KEYS: holding, waiting
-- ARGV: id, most that may hold it at once, strict
-- Where it is strict the line stays as it is, so that nobody overtakes one whose wake is lost; else who is told
-- leaves it. Returns their ids.
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local free = tonumber(ARGV[2]) - redis.call('SCARD', KEYS[1])
if free <= 0 then return {} end
local next = redis.call('ZRANGE', KEYS[2], 0, free - 1)
if ARGV[3] == '0' and #next > 0 then redis.call('ZREM', KEYS[2], unpack(next)) end
return next
