#!/bin/bash
# make install and uninstall: the installed program finds its configs without the source tree.
set -u
. "$KVLAB_TOP/tests/cli/lib.sh"

B=${KVLAB#"$KVLAB_TOP/"} B=${B%/kvlab}
stage=$PWD/stage
unset MAKEFLAGS MFLAGS MAKELEVEL
build() { # what was built is installed as it is
    make -s -C "$KVLAB_TOP" -o "$B/kvlab" B="$B" DESTDIR="$stage" PREFIX=/usr "$@" >make.log 2>&1
}

build install
is "install" 0 $?
is "its models are the installed ones" "$(KVLAB_HOME=$KVLAB_TOP "$KVLAB" list models)" \
    "$(env -u KVLAB_HOME "$stage/usr/bin/kvlab" list models 2>&1)"
rm -r "$stage/usr/share/kvlab/configs/models"
is "and no others" "" "$(env -u KVLAB_HOME "$stage/usr/bin/kvlab" list models 2>/dev/null)"
build uninstall
is "uninstall" 0 $?
is "leaves nothing" "" "$(find "$stage" ! -type d)"
done_testing
