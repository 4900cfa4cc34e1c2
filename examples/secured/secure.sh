#!/bin/sh
# Makes a secured configuration of another, and credentials for its server and its clients, with openssl:
#   examples/secured/secure.sh examples/backpressure.yaml credentials
# It leaves a folder that has in it: backpressure.yaml for the server; ca.crt for each client; worker.crt and worker.key, or
# worker.token, for a client. For trying out: in production the keys of an authority lie elsewhere than its certificates.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 CONFIGURATION FOLDER" >&2; exit 2; }
security=$(dirname "$0")/security.yaml
umask 077
mkdir -p "$2"
folder=$(cd "$2" && pwd)

new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
# shellcheck disable=SC2086 # These are several words.
openssl req -x509 $new_key -days 3650 -keyout "$folder/ca.key" -out "$folder/ca.crt" -subj "/CN=our authority" 2>/dev/null

issue() { # NAME SUBJECT-ALT-NAMES
  # shellcheck disable=SC2086
  openssl req -new $new_key -keyout "$folder/$1.key" -out "$folder/$1.csr" -subj "/CN=$1" 2>/dev/null
  printf 'subjectAltName=%s\n' "$2" >"$folder/$1.ext"
  openssl x509 -req -in "$folder/$1.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial -days 90 \
    -extfile "$folder/$1.ext" -out "$folder/$1.crt" 2>/dev/null
  rm "$folder/$1.csr" "$folder/$1.ext"
}
issue server "DNS:localhost,IP:127.0.0.1"
issue worker "URI:spiffe://example.com/worker"

# As `backpressure token worker` does.
token=bp_worker_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n')
printf '%s\n' "$token" >"$folder/worker.token"
sha256=$(printf %s "$token" | openssl dgst -sha256 -r | cut -d ' ' -f 1)

{ cat "$1" && echo && sed -e "s|credentials/|$folder/|" -e "s|0\{64\}|$sha256|" "$security"; } >"$folder/backpressure.yaml"
echo "backpressure serve --config $folder/backpressure.yaml"
