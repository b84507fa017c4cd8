#!/bin/sh
# The worker, beside the fork server of its runs (docs/operate.md). Where that one has ended, runs load their libraries
# themselves: so it is started again, and never waited for.
set -eu
folder="${RELEVE_HOME:?}/run/forks"
while :; do
  python -m releve.adapters.forks.server "$folder" || echo "the fork server ended; it starts again in 5 s" >&2
  sleep 5
done &
exec python -m prefect --no-prompt worker start --pool local --type process --with-healthcheck
