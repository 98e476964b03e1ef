-- Lets a task through a gate, or records it as one that waits there. Atomic; a second time it changes nothing.
-- KEYS: order (all others are built from the root)
-- ARGV: root of the keys, name of the gate, id, its place among those that wait, or '' for the last one
-- Where it names its place, it may enter whoever is before it.
-- Returns 0 when it holds the gate, else how many are before it. Needs line.lua.
local root, name, id, order = unpack(ARGV)
if pass_line(root, name, id, order ~= '') == 1 then return 0 end
local before = place_in_line(root, name, id)
if before then return before end
if order == '' then return join_line(root, name, id) end
local _, waiting = line_keys(root, name)
redis.call('ZADD', waiting, order, id)
return place_in_line(root, name, id)
