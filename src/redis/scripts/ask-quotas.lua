-- Lets tasks through all of their limits and holds money for them, or puts them into the line of the first that refuses;
-- and takes back what others hold or wait for, and gives it to those who wait. One after the other, all of it atomic.
-- KEYS: holds (all others are built from the root)
-- ARGV: root of the keys, minute in ms, JSON of a batch: see quotas.lua
-- Returns {now, tasks that may try now, answer to each ask}; {now} alone: other starts of windows are needed, and nothing
-- was done.
local batch = cjson.decode(ARGV[3])
local quotas, now = open_quotas(ARGV[1], tonumber(ARGV[2]), batch)
if not quotas then return { now } end
local answers = {}
for i, ask in ipairs(batch.asks) do answers[i] = quotas.perform(ask) end
return { now, quotas.finish(), unpack(answers) }
