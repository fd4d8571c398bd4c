#!/bin/sh
# never_listens: starts, says one thing and does nothing more.
echo "starting"
exec sleep 3600
