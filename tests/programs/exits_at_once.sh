#!/bin/sh
# exits_at_once: a program that cannot start.
echo "cannot open libmissing.so" >&2
exit 3
