-- The writes of running tasks: see write.lua for keys and reply.
-- ARGV: packed, then the texts
return write_tasks(KEYS, ARGV[1], {unpack(ARGV, 2)})
