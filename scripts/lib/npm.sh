# shellcheck shell=bash
# The parts that come from npm: the gateway's published schema, and the gateway itself.
#
# One lock file serves both: the schema is the only entry of "dependencies", so leaving out the
# development and optional dependencies leaves the schema alone.

schema_stamp=node_modules/.setup-schema
gateway_stamp=node_modules/.setup-gateway

gateway_is_current() { cmp -s package-lock.json "$gateway_stamp"; }
schema_is_current() { cmp -s package-lock.json "$schema_stamp" || gateway_is_current; }

check_npm_needs() { need npm "nodejs npm" command -v npm; }

# The gateway runs on a Node.js from npm, which package.json lists for these systems.
check_gateway_platform() {
  case "$(uname -s) $(uname -m)" in
    "Linux x86_64" | "Linux aarch64" | "Linux arm64" | "Darwin x86_64" | "Darwin arm64") ;;
    *) die "the gateway part works on Linux and macOS (x64, arm64), not on $(uname -sm)" ;;
  esac
}

# npm ci starts by removing node_modules, and the stamps with it.
# Install scripts stay off: the gateway's own refuses the Node.js of the system, when that is older
# than the one it will run on.
run_npm_ci() { npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" </dev/null >&2; }

make_schema() {
  say "installing the gateway's schema"
  run_npm_ci --omit=dev --omit=optional
  cp package-lock.json "$schema_stamp"
}

make_gateway() {
  say "installing the gateway and its Node.js (about 900 MB, takes a minute)"
  run_npm_ci
  node_modules/.bin/node --version >/dev/null || die "the Node.js from npm does not run here"
  cp package-lock.json "$gateway_stamp"
}
