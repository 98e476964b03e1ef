#!/bin/sh
# Submit, stream, result and cancel with nothing but sh and curl.
#
#     sh examples/curl.sh "Explain this repository in three sentences."
#
# The server is at TIERLINE_URL. Where it has API keys, put the secret into the URL: http://any:SECRET@host:4400
set -eu
url=${TIERLINE_URL:-http://127.0.0.1:4400}
prompt=${1:-Explain this repository in three sentences.}

# Prints the path of the new task, which the header Location has; what was wrong goes to stderr.
submit() {
  answer=$(curl -sS -i "$url/v1/tasks" -H 'Content-Type: application/json' -d "$1")
  path=$(printf '%s' "$answer" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  if [ -z "$path" ]; then
    printf '%s\n' "$answer" >&2
    exit 1
  fi
  echo "$path"
}

# A string as JSON.
quote() {
  printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '  ')"
}

echo '--- Submit a task.'
task=$(submit "{\"prompt\": $(quote "$prompt")}")
echo "$task"

echo '--- Stream its events until it is over. After a broken connection: -H "Last-Event-ID: 7" goes on with event 8.'
curl -sSN "$url$task/events"

echo '--- Its result. Before its end the answer is 202, after at most waitMs.'
curl -sS "$url$task/result?waitMs=60000"

echo
echo '--- Submit another one that waits for an hour, and cancel it.'
later=$(submit '{"prompt": "Say hello.", "delayMs": 3600000}')
curl -sS -X POST "$url$later/cancel"
echo
