#!/bin/sh
# prints_waiting: says the same thing for ever, with a counter in it; digits do not make a line new.
n=0
while true; do
  n=$((n + 1))
  echo "waiting for the license server, try $n"
  sleep 0.1
done
