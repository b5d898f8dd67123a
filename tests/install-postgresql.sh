#!/usr/bin/env bash
# PostgreSQL's programs for the tests of examples/, on Debian and Ubuntu, as root. No server is started or left running.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql-common
# Otherwise installing the server makes a cluster and starts it.
sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get install -y -qq --no-install-recommends postgresql
