-- Writes the records of new tasks and indexes them: all of them, or as many as there is room for. Atomic.
-- Those of a session get their places in its line, too. Repeating it after a lost reply changes nothing.
-- Needs line.lua.
-- KEYS: tasks, live, then the record of each
-- ARGV: root of the keys, most tasks that may be live, then for each task: id, name of its line or '',
--       number of arguments, field, value, …
-- Returns for each of them, from the first on, that was written: how many must leave its line before it may start.
local count, exists = #KEYS - 2, redis.call('EXISTS', unpack(KEYS, 3))
if exists == 0 then
  count = math.max(0, math.min(count, tonumber(ARGV[2]) - redis.call('ZCARD', KEYS[2])))
else
  count = exists
end
local index, before, arg = {}, {}, 3
for i = 1, count do
  local id, line, fields = ARGV[arg], ARGV[arg + 1], tonumber(ARGV[arg + 2])
  index[2 * i - 1], index[2 * i] = 0, id
  if exists == 0 then redis.call('HSET', KEYS[i + 2], unpack(ARGV, arg + 3, arg + 2 + fields)) end
  before[i] = line == '' and 0 or join_line(ARGV[1], line, id)
  arg = arg + 3 + fields
end
if count > 0 and exists == 0 then
  redis.call('ZADD', KEYS[1], unpack(index))
  redis.call('ZADD', KEYS[2], unpack(index))
end
return before
