-- Lets a task through a gate, or records it as one that waits there. Atomic; a second time it changes nothing.
-- KEYS: holding, waiting, order, lines
-- ARGV: id, most that may hold it at once, strict, order of submit, name of the gate
-- strict is 1 where only the first in line may enter; the order is '' where the gate counts by itself.
-- Returns 0 when it holds the gate, else its place in line from 1.
local holds = redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1
local score, held = redis.call('ZSCORE', KEYS[2], ARGV[1]), redis.call('SCARD', KEYS[1])
local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
local isFirst = first == ARGV[1] or not first
redis.call('SADD', KEYS[4], ARGV[5])
if holds or (held < tonumber(ARGV[2]) and (ARGV[3] == '0' or isFirst)) then
  if not holds then redis.call('SADD', KEYS[1], ARGV[1]) end
  if score then redis.call('ZREM', KEYS[2], ARGV[1]) end
  return 0
end
if not score then
  redis.call('ZADD', KEYS[2], ARGV[4] ~= '' and ARGV[4] or redis.call('INCR', KEYS[3]), ARGV[1])
end
return redis.call('ZRANK', KEYS[2], ARGV[1]) + 1
