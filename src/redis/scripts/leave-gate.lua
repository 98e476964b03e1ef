-- Lets a task go from a gate, whether it holds it or waits there, and tells who may try now. Atomic, idempotent.
-- KEYS: holding, waiting, lines
-- ARGV: id, most that may hold it at once, strict, name of the gate
-- Where it is strict the line stays as it is, so that nobody overtakes one whose wake is lost; else who is told
-- leaves it. Returns their ids.
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local held = redis.call('SCARD', KEYS[1])
if ARGV[3] == '1' and held == 0 and redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[3], ARGV[4]) end
local free = tonumber(ARGV[2]) - held
if free <= 0 then return {} end
local next = redis.call('ZRANGE', KEYS[2], 0, free - 1)
if ARGV[3] == '0' and #next > 0 then redis.call('ZREM', KEYS[2], unpack(next)) end
return next
