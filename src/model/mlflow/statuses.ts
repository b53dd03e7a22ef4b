/** MLflow's run statuses (`RunStatus` of its REST API). */
export const RUN_STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;

/** Whether a run with this status may still get points, files and an end. */
export function goesOn({ status }: { readonly status: string }): boolean {
  return status === 'RUNNING' || status === 'SCHEDULED';
}
