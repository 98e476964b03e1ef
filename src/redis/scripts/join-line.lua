-- Gives a new task its place in the line of a strict gate, before it is delivered anywhere. Atomic, idempotent.
-- KEYS: holding, waiting, order, lines
-- ARGV: id, most that may hold it at once, 1 to join only where nobody is, name of the gate
-- Returns how many must leave before it may enter; 0: it may; -1: somebody is there, and it has no place.
local held, place = redis.call('SCARD', KEYS[1]), redis.call('ZRANK', KEYS[2], ARGV[1])
if not place then
  if ARGV[3] == '1' and (held > 0 or redis.call('EXISTS', KEYS[2]) == 1) then return -1 end
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[3]), ARGV[1])
  redis.call('SADD', KEYS[4], ARGV[4])
  place = redis.call('ZRANK', KEYS[2], ARGV[1])
end
return math.max(0, place + 1 - (tonumber(ARGV[2]) - held))
