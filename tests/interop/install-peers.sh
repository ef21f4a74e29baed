#!/usr/bin/env bash
# Sees to the SIP stacks that nobody here wrote: SIPp (sip-tester) and baresip (baresip-core).
# Silent where they are. Root installs them; anyone else is told what to install, and the tests that need them skip.
# With BELSWITCH_REQUIRE_PEERS=1, as in CI, it fails unless both are there in the end.
set -euo pipefail

lacking() {
    command -v sipp >/dev/null || echo sip-tester
    command -v baresip >/dev/null || echo baresip-core
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"
}

mapfile -t packages < <(lacking)
if ((${#packages[@]} == 0)); then
    exit 0
fi

if ((EUID == 0)) && command -v apt-get >/dev/null; then
    echo "installing ${packages[*]}"
    install_packages "${packages[@]}" >&2 || echo "apt-get could not install ${packages[*]}" >&2
    mapfile -t packages < <(lacking)
fi

if ((${#packages[@]} > 0)); then
    echo "foreign SIP stacks are missing; on Debian or Ubuntu: apt-get install ${packages[*]}" >&2
    [[ ${BELSWITCH_REQUIRE_PEERS:-} != 1 ]]
fi
