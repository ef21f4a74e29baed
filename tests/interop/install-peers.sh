#!/usr/bin/env bash
# Sees to what nobody here wrote and the tests hold the switch against: SIPp (sip-tester), baresip (baresip-core),
# promtool, which reads alerts as Prometheus does (prometheus), systemd-analyze, which reads units (systemd), and nft,
# which makes a router that translates addresses (nftables).
# Silent where they are. Root installs them; anyone else is told what to install, and the tests that need them skip.
# With BELSWITCH_REQUIRE_PEERS=1, as in CI, it fails unless all are there in the end.
set -euo pipefail

lacking() {
    command -v sipp >/dev/null || echo sip-tester
    command -v baresip >/dev/null || echo baresip-core
    command -v promtool >/dev/null || echo prometheus
    command -v systemd-analyze >/dev/null || echo systemd
    command -v nft >/dev/null || echo nftables
}

# Of prometheus the one program: the package would start a server on this machine.
install_promtool() (
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder"
    apt-get download -qq -o APT::Sandbox::User=root prometheus
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract ./usr/bin/promtool
    install -m 755 usr/bin/promtool /usr/local/bin/promtool
)

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    local package packages=()
    apt-get update -qq || return
    for package in "$@"; do
        if [[ $package == prometheus ]]; then
            install_promtool || return
        else
            packages+=("$package")
        fi
    done
    ((${#packages[@]} == 0)) || apt-get install -y -qq --no-install-recommends "${packages[@]}"
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
    echo "foreign programs are missing; on Debian or Ubuntu: apt-get install ${packages[*]}" >&2
    [[ ${BELSWITCH_REQUIRE_PEERS:-} != 1 ]]
fi
