-- Asks whether a task may use a model that cooled: one at a time, as a probe, once its time is over. Atomic.
-- KEYS: cooldowns, waiting
-- ARGV: model, task, now, how long a probe may take in ms, order of submit (or '': it does not wait if refused),
--       age of the waiting set in ms
-- Returns {'ok'}, {'probe'}, or {'cooling', until, place of a task that waits, from 0}.
local entry, now = redis.call('HGET', KEYS[1], ARGV[1]), tonumber(ARGV[3])
if not entry then return {'ok'} end
local untilAt, strikes, probeUntil, probe = string.match(entry, '^(%d+) (%d+) (%d+) (.*)$')
local isTaken = tonumber(probeUntil) > now and probe ~= ARGV[2]
if tonumber(untilAt) <= now and not isTaken then
  redis.call('HSET', KEYS[1], ARGV[1], untilAt .. ' ' .. strikes .. ' '
    .. string.format('%.0f', now + tonumber(ARGV[4])) .. ' ' .. ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[2])
  return {'probe'}
end
local place = 0
if ARGV[5] ~= '' then
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  place = redis.call('ZRANK', KEYS[2], ARGV[2])
end
return {'cooling', isTaken and tonumber(untilAt) <= now and probeUntil or untilAt, place}
