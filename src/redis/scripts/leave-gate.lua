-- Lets a task go from a gate, whether it holds it or waits there, and tells who may try now. Atomic, idempotent.
-- KEYS: order (all others are built from the root)
-- ARGV: root of the keys, name of the gate, id ('': of nobody)
-- Who is told stays in line until it comes, since the word may be lost. Returns their ids. Needs line.lua.
return leave_line(ARGV[1], ARGV[2], ARGV[3])
