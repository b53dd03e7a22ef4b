/** This process's environment without MLflow's settings, for servers and clients of the tests. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  // Without compiled modules a server takes three times as long to start.
  const unwanted = /^(_?MLFLOW_.*|MLFERRY_.*|PYTHONDONTWRITEBYTECODE)$/;
  const inherited = Object.entries(process.env).filter(([name]) => !unwanted.test(name));
  return {
    ...Object.fromEntries(inherited),
    MLFLOW_ALLOW_FILE_STORE: 'true',
    MLFLOW_DISABLE_TELEMETRY: 'true',
    // Else the newest server starts four more Python processes.
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    PYTHONUNBUFFERED: '1',
  };
}
