-- Prolongs the leases of tasks that run, and forgets those that are over. Atomic.
-- KEYS: holds, leases
-- ARGV: lease in ms, number of tasks that run, their ids, the ids of those that are over
-- One whose lease has ended gets no new one: its next step holds again.
local time = redis.call('TIME')
local now, leaseMs = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
local running = tonumber(ARGV[2])
for i = 3, 2 + running do
  local untilAt = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or '0')
  if untilAt > now and untilAt <= now + leaseMs then
    redis.call('ZADD', KEYS[2], string.format('%.0f', now + leaseMs), ARGV[i])
  end
end
for i = 3 + running, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
return 1
