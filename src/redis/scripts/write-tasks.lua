-- The writes of running tasks: see write.lua for keys and reply, and for what is packed in the one argument.
return write_tasks(KEYS, ARGV[1])
