#!/bin/bash
# Installs, by name and from Debian alone, what the build and the tests need, and what is named
# after it. Prints what it installs; does nothing, and needs no network, when all of it is there.
# usage: deps.sh [PACKAGE ...]
set -eu
packages=(gcc g++ make git pkg-config libc6-dev libsqlite3-dev libpcre2-dev libcjson-dev
    libopenblas-dev libdnnl-dev libsentencepiece-dev libzip-dev nettle-dev libcmocka-dev python3-jieba sqlite3 zip
    gnuplot-nox "$@")
modules=(sqlite3 libpcre2-8 libcjson sentencepiece libzip nettle openblas cmocka)

die() {
    echo "deps: $*" >&2
    exit 2
}

# Elsewhere than on Debian: nothing can be installed by name, but what counts may be there.
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    pkg-config --exists "${modules[@]}" 2>/dev/null && exit 0
    die "no apt-get here; install what these Debian packages hold: ${packages[*]}"
fi
there=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for p in "${packages[@]}"; do
    grep -qx "$p installed" <<<"$there" || missing+=("$p")
done
((${#missing[@]})) || exit 0
as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || die "as root, or with sudo installed: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
