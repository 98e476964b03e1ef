SIDES=both COUNT=16000 ROUNDS=1 node probe2.ts &
P=$!
sleep 6
perf record -g -p $(cat /tmp/w/ha-redis/pid) -o /tmp/w/ha-prof/perf.data -- sleep 4 >/dev/null 2>&1
wait $P
