-- Takes a task for one delivery: raises fence and attempt and counts the delivery. Atomic.
-- It writes no events: the first write of the worker begins with those that say so.
-- Repeating a claim whose reply was lost changes nothing, since each has a name of its own.
-- KEYS: task, log, live, failed, finished
-- ARGV: id, queue of the delivery, name of the claim, now, most deliveries, live channel, error if poisoned
-- Returns {status, fence, attempt, seq, startedAt, {field, value, …}}, the record as it was before;
-- status is gone, finished, moved, poisoned or claimed.
local record, head = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #record, 2 do head[record[i]] = record[i + 1] end
local state = head.state
if not state then return {'gone'} end
if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return {'finished'} end
if head.queue ~= ARGV[2] then return {'moved'} end
local again = state == 'running' and head.worker == ARGV[3] and 0 or 1
local deliveries, attempt = tonumber(head.deliveries or '0') + again, tonumber(head.attempt or '0') + again
local seq, fence = tonumber(head.seq or '0'), tonumber(head.fence or '0') + again

local lost = head.lost
if state == 'running' and again == 1 then
  -- Whoever had it neither finished it nor gave it back.
  lost = (lost and lost .. ',' or '') .. '{"worker":"' .. string.match(head.worker, '^[^/]*') .. '","attempt":'
    .. head.attempt .. ',"lostAt":' .. ARGV[4] .. '}'
  redis.call('HSET', KEYS[1], 'lost', lost)
end

if deliveries > tonumber(ARGV[5]) then
  local failure = string.sub(ARGV[7], 1, -2) .. ',"lostWorkers":[' .. (lost or '') .. ']}'
  local first, events = seq + 1, {}
  if seq == 0 then
    -- No worker lived long enough to open the log.
    events[1] = '{"type":"task-queued","at":' .. head.createdAt .. ',"attempt":0,"queue":"' .. head.queue .. '"}'
    events[2] = '{"type":"task-routed","at":' .. head.createdAt .. ',"attempt":0,"route":' .. head.route .. '}'
    if head.waitingFor then
      events[3] = '{"type":"task-parked","at":' .. head.createdAt .. ',"attempt":0,"waitingFor":' .. head.waitingFor .. '}'
    end
  end
  events[#events + 1] = '{"type":"task-finished","at":' .. ARGV[4] .. ',"attempt":' .. (attempt - 1)
    .. ',"state":"failed","error":' .. failure .. '}'
  seq = seq + #events
  local batch = '[' .. table.concat(events, ',') .. ']'
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', batch)
  redis.call('HSET', KEYS[1], 'state', 'failed', 'error', failure, 'finishedAt', ARGV[4], 'seq', seq, 'fence', fence)
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], 0, ARGV[1])
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
  redis.call('PUBLISH', ARGV[6], first .. ' ' .. batch)
  return {'poisoned'}
end

-- Empty: it was parked before it ever ran.
local startedAt = head.startedAt ~= '' and head.startedAt or ARGV[4]
redis.call('HSET', KEYS[1], 'state', 'running', 'deliveries', deliveries, 'worker', ARGV[3],
  'attempt', attempt, 'fence', fence, 'startedAt', startedAt)
return {'claimed', fence, attempt, seq, startedAt, record}
