-- The next jobs of a worker that has room: see deliver.lua for keys, arguments and reply.
return deliver_tasks(KEYS, ARGV, {})
