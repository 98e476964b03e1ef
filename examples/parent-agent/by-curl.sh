#!/bin/sh
# A child of the task that runs this, by curl: submits it, waits for its end, prints its result.
#
#     TIERLINE_TASK_ID=tsk_… sh examples/parent-agent/by-curl.sh "Name the riskiest file of this project."
set -eu
url=${TIERLINE_URL:-http://127.0.0.1:4400}

prompt=$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '  ')
answer=$(curl -sS -i "$url/v1/tasks" -H 'Content-Type: application/json' \
  -d "{\"prompt\": \"$prompt\", \"parentTaskID\": \"$TIERLINE_TASK_ID\"}")
path=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
if [ -z "$path" ]; then
  printf '%s\n' "$answer" >&2
  exit 1
fi

# 202 until it is over, after at most waitMs; 200 with what became of it.
while :; do
  status=$(curl -sS -o "/tmp/tierline-$$" -w '%{http_code}' "$url$path/result?waitMs=60000")
  [ "$status" = 202 ] || break
done
cat "/tmp/tierline-$$"
rm -f "/tmp/tierline-$$"
