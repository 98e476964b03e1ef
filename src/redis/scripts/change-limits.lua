-- Puts other limits in force, and lets through who may go by them. Atomic.
-- KEYS: caps
-- ARGV: root of the keys, minute in ms, then limit, caps, …
-- Returns the tasks that were let through; there may be more when these are many. Needs limits.lua.
local time, CAPS = redis.call('TIME'), KEYS[1]
local limits = open_limits(ARGV[1], tonumber(ARGV[2]), time[1] * 1000 + math.floor(time[2] / 1000), {}, {})
local kept, changed = {}, {}
for i = 3, #ARGV, 2 do
  kept[ARGV[i]] = true
  redis.call('HSET', CAPS, ARGV[i], ARGV[i + 1])
  changed[#changed + 1] = ARGV[i]
end
for _, limit in ipairs(redis.call('HKEYS', CAPS)) do
  if not kept[limit] then
    redis.call('HDEL', CAPS, limit)
    changed[#changed + 1] = limit
  end
end
for _, limit in ipairs(changed) do limits.serve(limit) end
return limits.finish()
