#!/bin/bash
# Our statistics beside SciPy's (Debian's python3-scipy). Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

made=$(dirname "$KVLAB")/tests/test_stats
"$made" problems >asked
/usr/bin/python3 "$here/../tools/stats_scipy.py" <asked >out
rc=$?
((rc == 77)) && echo "ok 1 - SciPy answers as we do # SKIP python3-scipy is not installed" && exit
is "every answer is SciPy's" 0 $rc
is "for seven kinds of problem, 60 of each" 7 "$(grep -c ' 60 equal, 0 not' out)"

sed 's/"p":0\./"p":0.9/' asked | /usr/bin/python3 "$here/../tools/stats_scipy.py" >out
is "another p is seen" 1 $?
done_testing
