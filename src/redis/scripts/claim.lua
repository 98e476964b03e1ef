-- Takes a task for one delivery: raises fence and attempt and counts the delivery.
-- It writes no events: the first write of the worker begins with those that say so.
-- Repeating a claim whose reply was lost changes nothing, since each has a name of its own.
-- A task of a session passes the line in the same step, if it is its turn.
-- Returns {status, fence, attempt, seq, startedAt, {field = value, …}, 1 if it holds its line}, with the record as it
-- was before, to be given to the worker as JSON; status is gone, finished, moved, poisoned or claimed. Needs line.lua.
local function claim(root, id, queue, name, now, most, poison)
  local task, log = root .. ':task:' .. id, root .. ':log:' .. id
  local record, head = redis.call('HGETALL', task), {}
  for i = 1, #record, 2 do head[record[i]] = record[i + 1] end
  local state = head.state
  if not state then return {'gone'} end
  if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return {'finished'} end
  if head.queue ~= queue then return {'moved'} end
  local again = state == 'running' and head.worker == name and 0 or 1
  local deliveries, attempt = tonumber(head.deliveries or '0') + again, tonumber(head.attempt or '0') + again
  local seq, fence = tonumber(head.seq or '0'), tonumber(head.fence or '0') + again

  local lost = head.lost
  if state == 'running' and again == 1 then
    -- Whoever had it neither finished it nor gave it back.
    lost = (lost and lost .. ',' or '') .. '{"worker":"' .. string.match(head.worker, '^[^/]*') .. '","attempt":'
      .. head.attempt .. ',"lostAt":' .. now .. '}'
    redis.call('HSET', task, 'lost', lost)
  end

  if deliveries > tonumber(most) then
    local failure = string.sub(poison, 1, -2) .. ',"lostWorkers":[' .. (lost or '') .. ']}'
    local first, events = seq + 1, {}
    if seq == 0 then
      -- No worker lived long enough to open the log.
      events[1] = '{"type":"task-queued","at":' .. head.createdAt .. ',"attempt":0,"queue":"' .. head.queue .. '"}'
      events[2] = '{"type":"task-routed","at":' .. head.createdAt .. ',"attempt":0,"route":' .. head.route .. '}'
      if head.waitingFor then
        events[3] = '{"type":"task-parked","at":' .. head.createdAt .. ',"attempt":0,"waitingFor":' .. head.waitingFor .. '}'
      end
    end
    events[#events + 1] = '{"type":"task-finished","at":' .. now .. ',"attempt":' .. (attempt - 1)
      .. ',"state":"failed","error":' .. failure .. '}'
    seq = seq + #events
    local batch = first .. ' [' .. table.concat(events, ',') .. ']'
    redis.call('XADD', log, seq .. '-0', 'e', batch)
    redis.call('HSET', task, 'state', 'failed', 'error', failure, 'finishedAt', now, 'seq', seq, 'fence', fence)
    if head.checkpoint and head.checkpoint ~= '' then
      -- As in end-waiting-task.lua: its last turn may still run.
      redis.call('ZADD', root .. ':tombstones', now,
        cjson.encode({id, head.server, head.sessionID, head.directory or '', head.checkpoint}))
    end
    redis.call('ZREM', root .. ':live', id)
    redis.call('ZADD', root .. ':ended:failed', 0, id)
    redis.call('ZADD', root .. ':finished', now, id)
    redis.call('PUBLISH', root .. ':channel:' .. id, batch)
    if head.waiter then redis.call('PUBLISH', root .. ':ends:' .. head.waiter, id .. ' ' .. batch) end
    return {'poisoned'}
  end

  -- Empty: it was parked before it ever ran.
  local startedAt = head.startedAt ~= '' and head.startedAt or now
  redis.call('HSET', task, 'state', 'running', 'deliveries', deliveries, 'worker', name,
    'attempt', attempt, 'fence', fence, 'startedAt', startedAt)
  local passed = head.line and pass_line(root, head.line, id) or 0
  return {'claimed', fence, attempt, seq, startedAt, head, passed}
end
