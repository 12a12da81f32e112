#!/bin/sh
# Installs, updates or removes the ReconSync agent on a game host. Needs a shell, tar and Node.js; --help tells more.
set -eu

NODE_MAJOR=22
NODE_MINOR=16
MARK='# Made by install.sh of ReconSync.'

usage() {
  cat <<'END'
Usage: sh install.sh --from SOURCE [options]
       sh install.sh --uninstall [options]

  --from SOURCE     reconsync-VERSION.tgz, its https:// address, or npm:PACKAGE@VERSION
  --sha256 HEX      what the archive must be
  --prefix DIR      where to install (default: /usr/local for root, ~/.local otherwise)
  --config-dir DIR  folder of config.yaml (default: /etc/reconsync for root, ~/.config/reconsync otherwise)
  --node FILE       the Node.js to run it with (default: the one in PATH)
  --uninstall       remove the program and its service; config, state and backups stay
  --dry-run         say what would be done, and change nothing

Running it again updates the program. A config that is there is never overwritten.
END
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

say() {
  printf '%s\n' "$1"
}

# Does a thing, or says that it would.
act() {
  if [ "$dry_run" = yes ]; then
    say "Would run: $*"
  else
    "$@"
  fi
}

node_advice() {
  id=''
  if [ -r "${OS_RELEASE:-/etc/os-release}" ]; then
    # shellcheck disable=SC1090,SC1091
    id=$(. "${OS_RELEASE:-/etc/os-release}" && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
  fi
  case " $id " in
    *' debian '* | *' ubuntu '*) say 'Debian, Ubuntu: see https://github.com/nodesource/distributions, then: apt-get install nodejs' ;;
    *' fedora '* | *' rhel '*) say 'Fedora, RHEL and others like them: dnf install nodejs, or: dnf module install nodejs:22' ;;
    *' arch '*) say 'Arch: pacman -S nodejs' ;;
    *' alpine '*) say 'Alpine 3.22 or newer: apk add nodejs' ;;
    *' suse '* | *' opensuse '*) say 'openSUSE: zypper install nodejs22' ;;
  esac
  say 'Every system: https://nodejs.org/en/download'
}

# Sets $node to an absolute path: a service has no PATH of a shell.
find_node() {
  if [ -z "$node" ]; then
    node=$(command -v node || true)
  fi
  if [ -z "$node" ] || ! [ -x "$node" ]; then
    node_advice >&2
    fail "Node.js $NODE_MAJOR.$NODE_MINOR or newer is needed, and was not found. Install it, or name it with --node FILE."
  fi
  node=$("$node" -p process.execPath) || fail "$node does not run."
  version=$("$node" -p process.versions.node)
  major=${version%%.*}
  rest=${version#*.}
  minor=${rest%%.*}
  if [ "$major" -lt "$NODE_MAJOR" ] || { [ "$major" -eq "$NODE_MAJOR" ] && [ "$minor" -lt "$NODE_MINOR" ]; }; then
    node_advice >&2
    fail "Node.js $NODE_MAJOR.$NODE_MINOR or newer is needed; $node is $version."
  fi
}

# Puts the archive at $scratch/package.tgz.
fetch() {
  case $from in
    https://* | http://127.0.0.1:*)
      say "Downloading $from"
      if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --proto '=https,http' --proto-redir '=https' --max-time 600 --output "$scratch/package.tgz" "$from" || fail "$from cannot be downloaded."
      elif command -v wget >/dev/null; then
        wget -q -O "$scratch/package.tgz" "$from" || fail "$from cannot be downloaded."
      else
        fail 'curl or wget is needed for a download.'
      fi
      ;;
    http://*) fail "$from is not encrypted. Use https://, or download it another way and give the file." ;;
    npm:*)
      command -v npm >/dev/null || fail 'npm is needed for npm:…'
      (cd "$scratch" && npm pack --silent "${from#npm:}" >/dev/null) || fail "npm does not give ${from#npm:}."
      mv "$scratch"/*.tgz "$scratch/package.tgz"
      ;;
    *)
      [ -f "$from" ] || fail "there is no file $from."
      cp "$from" "$scratch/package.tgz"
      ;;
  esac
}

check_sha256() {
  [ -n "$sha256" ] || return 0
  if command -v sha256sum >/dev/null; then
    real=$(sha256sum "$scratch/package.tgz")
  else
    real=$(shasum -a 256 "$scratch/package.tgz")
  fi
  real=${real%% *}
  [ "$real" = "$sha256" ] || fail "the archive is not the one that was meant: its SHA-256 is $real."
}

# A text as one word of a shell.
quoted() {
  printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

install_agent() {
  [ -n "$from" ] || fail 'say what to install: --from reconsync-VERSION.tgz'
  find_node
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 1' HUP INT TERM
  fetch
  check_sha256
  tar -xzf "$scratch/package.tgz" -C "$scratch" || fail 'the archive cannot be unpacked.'
  [ -f "$scratch/package/dist/reconsync.js" ] || fail 'the archive is not a package of ReconSync.'
  what=$("$node" "$scratch/package/dist/reconsync.js" --version) || fail 'the program in the archive does not run.'

  say "Installing $what below $prefix, with $node"
  new="$prefix/lib/.reconsync-new"
  old="$prefix/lib/.reconsync-old"
  act mkdir -p "$prefix/lib" "$prefix/bin"
  act rm -rf "$new" "$old"
  act cp -R "$scratch/package" "$new"
  act chmod -R u=rwX,go=rX "$new"
  if [ -e "$prefix/lib/reconsync" ]; then
    act mv "$prefix/lib/reconsync" "$old"
  fi
  act mv "$new" "$prefix/lib/reconsync"
  act rm -rf "$old"
  write_command
  make_config
  next_steps
}

# Names Node by its path, so that it runs from a service and a cron job as well.
write_command() {
  command="$prefix/bin/reconsync"
  if [ -e "$command" ] && ! grep -q "^$MARK" "$command"; then
    fail "$command is of another program. Move it away, or choose another --prefix."
  fi
  if [ "$dry_run" = yes ]; then
    say "Would write $command"
    return
  fi
  rm -f "$command"
  printf '#!/bin/sh\n%s\nexec %s %s "$@"\n' "$MARK" "$(quoted "$node")" "$(quoted "$prefix/lib/reconsync/dist/reconsync.js")" >"$command"
  chmod 755 "$command"
}

make_config() {
  if [ -e "$config_dir/config.yaml" ]; then
    say "$config_dir/config.yaml stays as it is."
    return
  fi
  if [ "$dry_run" = yes ]; then
    say "Would write an example to $config_dir/config.yaml"
    return
  fi
  (
    umask 077
    mkdir -p "$config_dir"
    cp "$prefix/lib/reconsync/config.example.yaml" "$config_dir/config.yaml"
  )
  say "Wrote an example to $config_dir/config.yaml"
}

next_steps() {
  if [ "$dry_run" = yes ]; then
    say 'Nothing was changed.'
    return
  fi
  config=''
  [ "$config_dir" = "$default_config_dir" ] || config=" --config $(quoted "$config_dir/config.yaml")"
  say ''
  say 'Next:'
  say "  1. Write $config_dir/config.yaml, then: $command check$config"
  say "  2. In Discord: /agent register. Then: $command enroll$config https://YOUR-WORKER CODE"
  say "  3. $command service install$user$config"
  say 'After an update, 3 alone renews and starts the service.'
}

uninstall_agent() {
  command="$prefix/bin/reconsync"
  if [ -e "$command" ]; then
    grep -q "^$MARK" "$command" || fail "$command was not made by install.sh."
    # The unit may be of an agent that is installed elsewhere.
    if [ -e "$unit" ] && grep -qF "$prefix/lib/reconsync/" "$unit"; then
      # shellcheck disable=SC2086
      act "$command" service uninstall$user
    fi
    act rm -f "$command"
  fi
  act rm -rf "$prefix/lib/reconsync" "$prefix/lib/.reconsync-new" "$prefix/lib/.reconsync-old"
  if [ "$dry_run" = yes ]; then
    say 'Nothing was changed.'
  else
    say "Removed. What stays: $config_dir, the agent's state, and every backup."
  fi
}

from='' sha256='' node='' uninstall=no dry_run=no
if [ "$(id -u)" -eq 0 ]; then
  prefix=/usr/local
  config_dir=/etc/reconsync
  user=''
  unit=/etc/systemd/system/reconsync.service
else
  prefix=${HOME:?}/.local
  config_dir=${XDG_CONFIG_HOME:-$HOME/.config}/reconsync
  user=' --user'
  unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/reconsync.service
fi
default_config_dir=$config_dir

while [ $# -gt 0 ]; do
  case $1 in
    --from | --sha256 | --prefix | --config-dir | --node)
      [ $# -ge 2 ] || fail "$1 needs a value."
      case $1 in
        --from) from=$2 ;;
        --sha256) sha256=$2 ;;
        --prefix) prefix=$2 ;;
        --config-dir) config_dir=$2 ;;
        --node) node=$2 ;;
      esac
      shift 2
      ;;
    --uninstall)
      uninstall=yes
      shift
      ;;
    --dry-run)
      dry_run=yes
      shift
      ;;
    --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      fail "$1 is not known."
      ;;
  esac
done
case $prefix$config_dir in
  *'
'*) fail 'a folder cannot have a line break in its name.' ;;
esac
case $prefix in /*) ;; *) fail '--prefix needs an absolute path.' ;; esac
case $config_dir in /*) ;; *) fail '--config-dir needs an absolute path.' ;; esac
prefix=${prefix%/}
config_dir=${config_dir%/}

if [ "$uninstall" = yes ]; then
  uninstall_agent
else
  install_agent
fi
