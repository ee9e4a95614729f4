#!/bin/bash
# Installs, by name and from Debian alone, what the build and the tests need. Prints what it installs.
set -eu
packages=(gcc g++ make git pkg-config libc6-dev libsqlite3-dev libpcre2-dev libcjson-dev
    libopenblas-dev libsentencepiece-dev libzip-dev nettle-dev libcmocka-dev sqlite3 zip)
missing=()
for p in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
((${#missing[@]})) || exit 0
if ! command -v apt-get >/dev/null; then
    echo "kvlab needs these libraries (Debian's package names): ${missing[*]}" >&2
    exit 2
fi
sudo=
if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "run as root or install sudo: apt-get install ${missing[*]}" >&2; exit 2; }
    sudo=sudo
fi
echo "installing: ${missing[*]}" >&2
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
