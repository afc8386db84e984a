#!/bin/sh
# deps.sh PURPOSE... - installs the Debian packages that a purpose needs and that are missing.
#
# Purposes: run, test, bench, bare. Needs nothing but what a bare Debian has. Says nothing and costs
# one dpkg-query when all are there; apt-get update runs only when something is missing.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is no Debian: see the package lists in tests/deps.sh and install their counterparts." >&2
    exit 0
fi

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
packages_run="gcc make pkgconf libc6-dev libmbedtls-dev liblmdb-dev zlib1g-dev libzstd-dev ca-certificates"
# python3 judges the vectors of the translation (tests/golden/vectors).
packages_test="libcriterion-dev clang spin python3"
packages_bench="nginx-light valgrind strace"
packages_bare="debootstrap"
case $codename in
bookworm)
    packages_run="$packages_run node-llhttp"
    # The formatting rules are those of version 14; another version would format otherwise.
    packages_test="$packages_test clang-format-14 libclang-rt-14-dev"
    ;;
trixie)
    packages_run="$packages_run libllhttp-dev"
    packages_test="$packages_test libclang-rt-19-dev"
    ;;
*)
    packages_run="$packages_run libllhttp-dev"
    ;;
esac
# Some bring a newer node with its own npm: the command counts, not the package.
command -v npm >/dev/null 2>&1 || packages_test="$packages_test npm"

wanted=
for purpose in "$@"; do
    case $purpose in
    run) wanted="$wanted $packages_run" ;;
    test) wanted="$wanted $packages_test" ;;
    bench) wanted="$wanted $packages_bench" ;;
    bare) wanted="$wanted $packages_bare" ;;
    *)
        echo "deps.sh: unknown purpose $purpose" >&2
        exit 2
        ;;
    esac
done

# shellcheck disable=SC2086 # words are wanted
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    sed -n 's/ installed$//p' | tr '\n' ' ')
missing=
for package in $wanted; do
    case " $installed" in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "These packages are missing and you are not root. As root, type:" >&2
    echo "    apt-get update && $line" >&2
    exit 1
fi
echo "Installing:$missing"
# Quiet, but not silent: what fails must be seen. A source that has nothing to do with these packages
# may be out of reach; whether they can be had shows when they are installed.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
    echo "apt-get update failed; trying with the lists that are there." >&2
if ! $as_root env DEBIAN_FRONTEND=noninteractive sh -c \
    "$line -qq -o DPkg::Lock::Timeout=300 >/dev/null"; then
    echo "Installing failed. By hand: apt-get update && $line" >&2
    exit 1
fi
