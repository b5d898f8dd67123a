#!/usr/bin/env bash
# Make the kind cluster NAME of kind-config.yaml, or of the file CONFIG, or see to it that the one that is there answers.
#
# After a restart of docker the nodes may have got each other's addresses (kubernetes-sigs/kind#2045): kubelet and
# etcd then look for an API server where none is, and such a cluster never comes back. It holds nothing but what
# these tests put there, so it is recreated. A cluster that only takes its time gets a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1
config=${2:-kind-config.yaml}

create() {
    kind create cluster --name "$name" --config "$config" --wait 2m
}

answers() {
    kubectl --context "kind-$name" get --raw /readyz --request-timeout=1s >/dev/null 2>&1
}

if ! kind get clusters 2>/dev/null | grep -qx "$name"; then
    create
fi
for _ in $(seq 60); do
    if answers; then exit 0; fi
    sleep 1
done
echo "make kind: the API server of the kind cluster $name has not answered for a minute; the cluster is recreated"
kind delete cluster --name "$name"
create
for _ in $(seq 60); do
    if answers; then exit 0; fi
    sleep 1
done
echo "make kind: the API server of the new kind cluster $name does not answer either. Look at: docker logs $name-control-plane"
exit 1
