-- Writes the records of new tasks and indexes them: all of them, or as many as there is room for. Atomic.
-- Repeating it after a lost reply changes nothing.
-- KEYS: tasks, live, then the record of each
-- ARGV: most tasks that may be live, then for each task: id, number of arguments, field, value, …
-- Returns how many of them, from the first on, were written.
local wanted, room = #KEYS - 2, tonumber(ARGV[1]) - redis.call('ZCARD', KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then return redis.call('EXISTS', unpack(KEYS, 3)) end
local count = math.max(0, math.min(wanted, room))
local index, arg = {}, 2
for i = 1, count do
  local fields = tonumber(ARGV[arg + 1])
  index[2 * i - 1], index[2 * i] = 0, ARGV[arg]
  redis.call('HSET', KEYS[i + 2], unpack(ARGV, arg + 2, arg + 1 + fields))
  arg = arg + 2 + fields
end
if count > 0 then
  redis.call('ZADD', KEYS[1], unpack(index))
  redis.call('ZADD', KEYS[2], unpack(index))
end
return count
