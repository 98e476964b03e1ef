-- Puts other limits in force, and lets through who may go by them. Atomic.
-- KEYS: see limits.lua
-- ARGV: minute in ms, then limit, caps, …
-- Returns the tasks that were let through; there may be more when these are many.
local kept, changed = {}, {}
for i = 2, #ARGV, 2 do
  kept[ARGV[i]] = true
  call('HSET', CAPS, ARGV[i], ARGV[i + 1])
  changed[#changed + 1] = ARGV[i]
end
for _, limit in ipairs(call('HKEYS', CAPS)) do
  if not kept[limit] then
    call('HDEL', CAPS, limit)
    changed[#changed + 1] = limit
  end
end
for _, limit in ipairs(changed) do serve(limit) end
return finish({})
