-- The jobs of a worker that are over, and with them their tasks: the last write of each task first (write.lua), then
-- BullMQ moves its job and gives the next one (deliver.lua). So there is no moment in which one of them is over and the
-- other is not. A job whose task took no write, since another worker has it, stays where it is.
-- KEYS: BullMQ's, then those of write.lua
-- ARGV: how many keys are BullMQ's, what is packed for write.lua or '', what is packed for deliver.lua, then the texts
--       of the one and the bytes of the other
-- Returns {what write.lua returns, or {} without a write; what deliver.lua returns}.
local bull, writes = tonumber(ARGV[1]), ARGV[2]
local long = {unpack(ARGV, 4)}
local written = writes ~= '' and write_tasks({unpack(KEYS, bull + 1)}, writes, long) or {}
return {written, deliver_tasks({unpack(KEYS, 1, bull)}, ARGV[3], long, written)}
