# shellcheck shell=bash
# What a machine needs for ./dev, which reads this file and sets the names of folders used here: Debian packages, Rust,
# the official SDKs, a kernel to boot, and the next strongSwan.

# What each part needs from Debian.
build_packages=(build-essential pkg-config ca-certificates curl git)
engine_packages=(charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-extra-plugins
  libstrongswan-standard-plugins iproute2 nftables)
lab_packages=(iperf3 tcpdump iputils-ping procps libfaketime ethtool python3)
kernel_packages=(qemu-system-x86 busybox-static cpio kmod)
next_packages=(debootstrap debian-archive-keyring)
suite_packages=(python3-venv nodejs npm shellcheck)
# Services that these packages would start by themselves. Causeway runs its own daemons, one for each gateway.
package_services=(strongswan.service strongswan-starter.service iperf3.service)

# Runs a command as root, by sudo where that needs no question.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# A mirror that fails once may answer the next time; another package manager may be at work since the machine's start.
apt_options=(-o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)

# Runs a command that fetches something, again after a while where it fails.
patiently() {
  local pause
  for pause in 5 20; do
    ! "$@" || return 0
    warn "failed, and tried again in $pause s: $*"
    sleep $pause
  done
  "$@"
}

# What of the given packages is not installed.
missing_packages() {
  local package
  for package in "$@"; do
    case $package in
      # Installed by other means as well (version managers, images); the command is what counts.
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
      python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null && continue ;;
      build-essential) command -v cc >/dev/null && command -v make >/dev/null && continue ;;
      shellcheck | git | curl | tcpdump | iperf3 | ethtool | python3) command -v "$package" >/dev/null && continue ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# Installs Debian packages; asks nothing and starts no service.
install_packages() {
  local wanted policy=/usr/sbin/policy-rc.d made_policy='' service new_services=()
  mapfile -t wanted < <(missing_packages "$@")
  [ ${#wanted[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    warn "this is no Debian or Ubuntu: install these yourself, then run ./dev again: ${wanted[*]}"
    return 1
  fi
  if ! can_be_root; then
    warn "root is needed to install: sudo apt-get install ${wanted[*]}"
    return 1
  fi
  title "Installing Debian packages: ${wanted[*]}"
  for service in "${package_services[@]}"; do
    # One that is there already is somebody's own, and stays as it is.
    [ -e "/lib/systemd/system/$service" ] || new_services+=("$service")
  done
  if [ ! -e $policy ]; then
    # 101: invoke-rc.d and deb-systemd-invoke start nothing while this file stands.
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    made_policy=yes
  fi
  local status=0
  { patiently as_root apt-get "${apt_options[@]}" update -qq &&
    patiently as_root env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" install -y -qq \
      -o Dpkg::Use-Pty=0 --no-install-recommends "${wanted[@]}" | sed -n 's/^Setting up/  installed/p'; } || status=$?
  [ -z "$made_policy" ] || as_root rm -f $policy
  # Where there is no systemd, nothing is ever started by it either.
  ! command -v systemctl >/dev/null || as_root systemctl disable "${new_services[@]}" >/dev/null 2>&1 || true
  return $status
}

need_rust() {
  [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH
  if ! command -v cargo >/dev/null; then
    title "Installing Rust with rustup (into ~/.cargo)"
    curl --proto '=https' --tlsv1.2 --retry 5 -sSf https://sh.rustup.rs |
      sh -s -- -y --profile minimal --component clippy --component rustfmt
    PATH=$HOME/.cargo/bin:$PATH
  fi
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  have=$(cargo --version | awk '{print $2}')
  if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
    if ! command -v rustup >/dev/null; then
      warn "Rust $wanted is needed and $have is here; install it with https://rustup.rs"
      return 1
    fi
    title "Updating Rust from $have to stable ($wanted or newer is needed)"
    rustup toolchain install stable --profile minimal --component clippy --component rustfmt
    export RUSTUP_TOOLCHAIN=stable
  fi
  host=$(rustc -vV | sed -n 's/^host: //p')
}

# A Python environment with exactly what a list pins; made again when the list changes.
need_venv() {
  local dir=$1 list=$2 stamp
  stamp=$(cat "$list" tests/sdk/python/constraints.txt | sha256sum | cut -d' ' -f1)
  [ "$(cat "$dir/stamp" 2>/dev/null)" != "$stamp" ] || return 0
  title "Python packages of $list (into ${dir#"$root"/})"
  rm -rf "$dir"
  # `|| return`: set -e sleeps in a function whose result is asked for.
  python3 -m venv "$dir" || return 1
  patiently "$dir/bin/pip" install -q --disable-pip-version-check --retries 10 --timeout 60 -r "$list" \
    -c tests/sdk/python/constraints.txt || return 1
  printf '%s' "$stamp" >"$dir/stamp"
}

need_node() {
  local stamp
  stamp=$(sha256sum tests/sdk/node/package-lock.json | cut -d' ' -f1)
  [ "$(cat "$node_dir/stamp" 2>/dev/null)" != "$stamp" ] || return 0
  title "Node packages of tests/sdk/node (into ${node_dir#"$root"/})"
  mkdir -p "$node_dir"
  cp tests/sdk/node/package.json tests/sdk/node/package-lock.json "$node_dir/" || return 1
  (cd "$node_dir" && patiently npm ci --no-audit --no-fund --loglevel=error --fetch-retries=5) || return 1
  printf '%s' "$stamp" >"$node_dir/stamp"
}

need_suites() {
  install_packages "${suite_packages[@]}" || return 1
  need_venv "$venv" tests/sdk/python/requirements.txt || return 1
  need_venv "$venv_tccli" tests/sdk/python/requirements-tccli.txt || return 1
  need_node
}

# A kernel with ESP of its own, to be booted under emulation, beside the tools for that.
need_kernel() {
  local package
  install_packages "${kernel_packages[@]}" || return 1
  [ ! -e "$kernel/ready" ] || return 0
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/{print $2; exit}')
  [ -n "$package" ] || { warn "no linux-image-cloud-amd64 here (it is Debian's)"; return 1; }
  title "Unpacking $package (into ${kernel#"$root"/}; nothing is installed)"
  rm -rf "$kernel"
  mkdir -p "$kernel"
  (cd "$kernel" && patiently apt-get "${apt_options[@]}" download -q "$package") || return 1
  dpkg -x "$kernel"/*.deb "$kernel" || return 1
  rm "$kernel"/*.deb
  depmod -b "$kernel" "$(ls "$kernel/lib/modules")" || return 1
  touch "$kernel/ready"
}

bootstrap_next() {
  rm -rf "$strongswan6/root"
  debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --include=charon-systemd,libcharon-extra-plugins,libstrongswan-extra-plugins,libstrongswan-standard-plugins \
    trixie "$strongswan6/root" http://deb.debian.org/debian >"$strongswan6/log" 2>&1 || {
    tail -n 3 "$strongswan6/log"
    return 1
  }
}

# Debian 13 in a directory: its strongSwan is 6.0, where this system's may be 5.9.
need_strongswan6() {
  install_packages "${next_packages[@]}" || return 1
  [ ! -e "$strongswan6/ready" ] || return 0
  title "Debian 13's strongSwan (into ${strongswan6#"$root"/}; nothing is installed)"
  rm -rf "$strongswan6"
  mkdir -p "$strongswan6"
  patiently bootstrap_next || return 1
  # In the place of this system's charon: the same process, then, with the other one's files around it.
  cat >"$strongswan6/charon" <<END
#!/bin/bash
r=$strongswan6/root
mount --rbind /tmp \$r/tmp && mount --rbind /proc \$r/proc && mount --rbind /dev \$r/dev && mount --bind /sys \$r/sys &&
  exec chroot \$r /usr/sbin/charon-systemd "\$@"
END
  chmod +x "$strongswan6/charon"
  touch "$strongswan6/ready"
}

# Why real gateways can't run here; nothing when they can.
why_no_gateways() {
  [ "$(uname -s)" = Linux ] || { say "real gateways need Linux"; return; }
  [ "$(id -u)" = 0 ] || { say "real gateways need root (network namespaces, TUN): run as root"; return; }
  [ -c /dev/net/tun ] || {
    say "/dev/net/tun is missing: load the tun module, or give the container this device (--device /dev/net/tun)"
    return
  }
  unshare --net true 2>/dev/null || {
    say "this container may not make network namespaces: give it CAP_SYS_ADMIN and CAP_NET_ADMIN"
    return
  }
  [ -x /usr/sbin/charon-systemd ] || say "strongSwan is missing: apt-get install ${engine_packages[*]}"
}
