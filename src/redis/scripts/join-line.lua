-- Gives a new task its place in the line of a strict gate, before it is delivered anywhere. Atomic, idempotent.
-- KEYS: holding, waiting, order
-- ARGV: id, most that may hold it at once, age of the keys in ms
-- Returns how many must leave before it may enter; 0: it may.
local place = redis.call('ZRANK', KEYS[2], ARGV[1])
if not place then
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[3]), ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  place = redis.call('ZRANK', KEYS[2], ARGV[1])
end
return math.max(0, place + 1 - (tonumber(ARGV[2]) - redis.call('SCARD', KEYS[1])))
