-- Takes back all that a task holds or waits for, and gives it to those who wait. Atomic, idempotent.
-- KEYS: see limits.lua
-- ARGV: minute in ms, task, requests and tokens of its turn (or '')
-- Returns the tasks that were let through by this.
local entry = read(ARGV[2])
if not entry then return granted end
if entry.granted and ARGV[3] ~= '' then settle(entry, tonumber(ARGV[3]), tonumber(ARGV[4])) end
release(ARGV[2], entry)
for _, limit in ipairs(entry.limits) do serve(limit) end
return granted
