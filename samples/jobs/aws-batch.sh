#!/bin/sh
# Eight jobs of an array, each with an eighth of the runs; then one with all that is left. The job definition "mlferry" has an image with
# mlferry in it, and the credentials as secrets.
set -eu
copy='"copy", "https://old.example.com", "postgresql://db.example.com/mlflow"'
shards=$(aws batch submit-job --job-name mlferry-shards --job-queue default --job-definition mlferry \
  --array-properties size=8 --retry-strategy attempts=5 \
  --container-overrides "{\"command\": [$copy, \"--shard\", \"auto\"]}" --query jobId --output text)
aws batch submit-job --job-name mlferry-finish --job-queue default --job-definition mlferry \
  --depends-on "jobId=$shards" --container-overrides "{\"command\": [$copy, \"--finish\"]}"
