-- Takes one task for one delivery: see claim.lua. Atomic.
-- KEYS: task
-- ARGV: root of the keys, id, queue of the delivery, name of the claim, now, most deliveries, error if poisoned
-- Returns JSON.
return cjson.encode(claim(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]))
