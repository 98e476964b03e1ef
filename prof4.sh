# instructions or task-clock of redis per evalsha set
f=$1 n=$2 part=$3
perf stat -e instructions:u -p $(cat /tmp/w/ha-redis/pid) -o /tmp/w/ha-prof/stat.txt &
