-- The writes of running tasks: see write.lua for keys, arguments and reply.
return write_tasks(KEYS, ARGV)
