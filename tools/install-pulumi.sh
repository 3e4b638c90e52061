#!/usr/bin/env bash
# Installs what the tests of the stacks run on, into .envs:
#   pulumi       the engine and its Python language host, built from their Go modules (an official one on PATH is used)
#   cloud-init   the schema of what hosts are told at their first start
#   aws-plugin   the environment of the tests' provider plugin, and Terraform's AWS provider by `terraform init`
# With arguments, those of them alone: `install-pulumi.sh engine`.
# What cannot be had on this machine is named with the reason, and its tests are skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-python3}

say() { echo "install-pulumi: $*"; }

install_engine() {
  local target=$root/.envs/pulumi stamp part version sdk script
  if command -v pulumi >/dev/null; then
    say "pulumi $(pulumi version) is on PATH"
    return
  fi
  stamp=$(cat "$here"/pulumi/*/go.* | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    say "pulumi is there"
    return
  fi
  if ! command -v go >/dev/null; then
    say "skipped pulumi (there is none on PATH, and no Go to build it); its tests will be skipped"
    return
  fi
  rm -rf "$target"
  mkdir -p "$target/bin"
  say "building pulumi, which takes some three minutes on two cores"
  for part in cli python; do
    (
      cd "$here/pulumi/$part"
      version=$(go list -m -f '{{.Version}}' github.com/pulumi/pulumi/sdk/v3)
      GOFLAGS=-mod=readonly GOBIN="$target/bin" go install \
        -ldflags "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$version" tool
    )
  done
  # The language host runs these, beside it.
  sdk=$(cd "$here/pulumi/cli" && go list -m -f '{{.Dir}}' github.com/pulumi/pulumi/sdk/v3)
  for script in python/cmd/pulumi-language-python-exec python/dist/pulumi-analyzer-policy-python \
    python/dist/pulumi-resource-pulumi-python; do
    install -m 755 "$sdk/$script" "$target/bin/"
  done
  echo "$stamp" >"$target/stamp"
  say "pulumi $("$target/bin/pulumi" version) is built"
}

install_plugin() {
  local target=$root/.envs/aws-plugin source=$root/tests/emulated_aws stamp place mirror=()
  stamp=$(cat "$source/requirements.lock" "$source/tfplugin5.proto" "$source/versions.tf" | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    say "the AWS plugin is there"
    return
  fi
  if ! command -v terraform >/dev/null; then
    say "skipped the AWS plugin (no terraform on PATH); its tests will be skipped"
    return
  fi
  rm -rf "$target"
  "$python" -m venv "$target"
  "$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r "$source/requirements.lock"
  mkdir -p "$target/generated" "$target/terraform"
  "$target/bin/python" -m grpc_tools.protoc -I"$source" --python_out="$target/generated" \
    --grpc_python_out="$target/generated" "$source/tfplugin5.proto"
  cp "$source/versions.tf" "$target/terraform/"
  # From a mirror in the usual places where there is one, else from Terraform's registry.
  for place in "${TF_PLUGIN_MIRROR:-}" /usr/local/share/terraform/* /opt/*; do
    if [ -n "$place" ] && compgen -G "$place/*/hashicorp/aws" >/dev/null; then mirror=(-plugin-dir="$place"); fi
  done
  if ! (cd "$target/terraform" && terraform init -backend=false -input=false -no-color "${mirror[@]}" >init.log 2>&1); then
    tail -n 5 "$target/terraform/init.log"
    say "skipped the AWS plugin (Terraform's AWS provider could not be had, see above); its tests will be skipped"
    return
  fi
  echo "$stamp" >"$target/stamp"
  say "the AWS plugin is installed"
}

# What rendered files are checked against: cloud-init's schema, and the definitions of two kinds of Kubernetes resources.
install_definitions() {
  local target=$root/.envs/cloud-init scratch
  if [ -d "$target/etc" ]; then
    say "cloud-init's schema is there"
  elif ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    say "skipped cloud-init's schema (no apt-get here); its tests will be skipped"
  else
    scratch=$(mktemp -d)
    if (cd "$scratch" && { apt-get download -qq cloud-init || { apt-get update -qq && apt-get download -qq cloud-init; }; }) \
      >/dev/null 2>&1; then
      dpkg -x "$scratch"/cloud-init_*.deb "$target"
      say "cloud-init's schema is unpacked"
    else
      say "skipped cloud-init's schema (its package could not be had); its tests will be skipped"
    fi
    rm -rf "$scratch"
  fi
  if command -v go >/dev/null &&
    (cd "$here/pulumi/cli" && go mod download sigs.k8s.io/gateway-api@v1.2.1 github.com/cert-manager/cert-manager@v1.16.2); then
    say "the definitions of the Gateway API and of cert-manager are there"
  else
    say "skipped the definitions of the Gateway API and of cert-manager (no Go, or not to be had)"
  fi
}

for part in "${@:-engine plugin definitions}"; do
  for name in $part; do "install_$name"; done
done
