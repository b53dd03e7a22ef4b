#!/bin/sh
# Eight jobs, each with an eighth of the runs; then one with all that is left:
#   shards=$(sbatch --parsable --array=1-8 slurm.sh --shard auto)
#   sbatch --dependency=afterok:$shards slurm.sh --finish
#SBATCH --job-name=mlferry
#SBATCH --time=24:00:00
#SBATCH --mem=1G
#SBATCH --requeue
exec mlferry copy /data/mlruns postgresql://db.example.com/mlflow "$@"
