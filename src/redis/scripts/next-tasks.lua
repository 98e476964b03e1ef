-- The next jobs of a worker that has room: see deliver.lua for keys, what is packed, and reply.
-- ARGV: packed, then the bytes
return deliver_tasks(KEYS, ARGV[1], {unpack(ARGV, 2)}, {})
