#!/bin/sh
# Makes the stubs of the contract in gen/, with the Python that is named or `python3`: ./generate.sh .venv/bin/python
set -eu
cd "$(dirname "$0")"
mkdir -p gen
"${1:-python3}" -m grpc_tools.protoc \
  -I ../../proto -I ../../vendor/protovalidate -I ../../vendor/googleapis \
  --python_out=gen --pyi_out=gen --grpc_python_out=gen \
  ggen/backpressure/v1/admission_service.proto \
  ggen/backpressure/v1/lease.proto \
  ggen/backpressure/v1/reason.proto \
  buf/validate/validate.proto
