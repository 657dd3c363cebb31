#!/bin/sh
# Unpacks Debian's MQTT broker into the folder $1, for the tests; installs nothing, and needs no root.
# Where that can't be done (no Debian, no network) it says so and ends well: the tests that need a broker then say why they are skipped.
set -u
folder=$1
mkdir -p "$folder"
if command -v mosquitto > /dev/null || [ -x /usr/sbin/mosquitto ]; then
    exit 0 # this machine has one
fi
give_up() {
    echo "No MQTT broker for the tests: $1. Those that need one will be skipped; with mosquitto installed they run." >&2
    exit 0
}
command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || give_up "this is no Debian"
cd "$folder" || exit 1
packages="mosquitto libmosquitto1 libcjson1 libdlt2 libwrap0"
# package lists of our own, where the machine's are absent or old: reading them needs no root
own="-o Dir::State=$PWD/state -o Dir::Cache=$PWD/cache -o Debug::NoLocking=1 -o APT::Sandbox::User= -q"
# shellcheck disable=SC2086 # both are lists of words
apt-get download -q -o APT::Sandbox::User= $packages > log 2>&1 || {
    mkdir -p state/lists/partial cache/archives/partial
    apt-get $own update >> log 2>&1 && apt-get $own download $packages >> log 2>&1
} || give_up "$(tail -1 log)"
for package in *.deb; do
    dpkg-deb -x "$package" . || give_up "$package can't be unpacked"
done
rm -rf ./*.deb state cache
