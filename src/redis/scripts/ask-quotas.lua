-- Lets tasks through all of their limits and holds money for them, or puts them into the line of the first that refuses;
-- and takes back what others hold or wait for, and gives it to those who wait. One after the other, all of it atomic.
-- KEYS: holds (all others are built from the root)
-- ARGV: packed root of the keys, minute in ms, batch: see quotas.lua
-- Returns {now, tasks that may try now, answer to each ask}; {now} alone: other starts of windows are needed, and nothing
-- was done.
local quotas, now = open_quotas(unpack(cmsgpack.unpack(ARGV[1])))
if not quotas then return { now } end
local answers = {}
for i = 1, #quotas.ids do answers[i] = quotas.perform(i) end
return { now, quotas.finish(), unpack(answers) }
