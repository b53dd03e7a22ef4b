"""Keeps MLflow imported and lends it out: what is asked for runs in a fork of this process.

forge.py SOCKET EMPTY_DATABASE

A request is a line of JSON: {"run": ["mlflow", "server", ...] or [SCRIPT, ...], "env", "cwd", "stdout", "stderr", "remove"}.
The answer is a line with its exit status. When the asker closes the socket, or dies, all that runs for it is killed, and
its cwd is removed if `remove` says so. The forge imports MLflow at the first request, and ends with its stdin.

EMPTY_DATABASE: the file that keeps a SQLite database with MLflow's tables and nothing in them, made where it is missing.
"""
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys

# uvicorn comes first: MLflow looks whether a server has been imported, and guards its app then.
MODULES = [
    "mlflow",
    "mlflow.cli",
    "uvicorn",
    "mlflow.server",
    "mlflow.server.fastapi_app",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.model_registry.file_store",
    "mlflow.store.db.utils",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.sync",
    "requests",
    "pandas",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "sklearn.linear_model",
]


def import_all():
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            # Older versions have no FastAPI app.
            if error.name not in (name, "uvicorn", "fastapi"):
                raise
    # Else the first collection in each fork copies all of it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def put_empty_database(path, kept):
    """Saves a server all steps of the migrations, which take seconds. The server makes the default experiment itself."""
    if not os.path.exists(kept):
        import sqlalchemy
        from mlflow.store.db.utils import _initialize_tables

        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        _initialize_tables(engine)
        engine.dispose()
        shutil.copyfile(path, f"{kept}.{os.getpid()}")
        os.rename(f"{kept}.{os.getpid()}", kept)
    else:
        shutil.copyfile(kept, path)


def tell_command(arguments, kept, pipe):
    """Runs MLflow's own command line up to where it would execute uvicorn or gunicorn, and writes down what it would."""
    import mlflow.cli
    import mlflow.server

    def tell(command, extra_env=None, **_):
        with os.fdopen(pipe, "w") as file:
            json.dump([command, {**os.environ, **(extra_env or {})}], file)
        os._exit(0)

    store = arguments[arguments.index("--backend-store-uri") + 1]
    if store.startswith("sqlite:///") and not os.path.exists(store[len("sqlite:///") :]):
        put_empty_database(store[len("sqlite:///") :], kept)
    mlflow.server._exec_cmd = tell
    mlflow.cli.cli(arguments)


def serve(arguments, kept):
    """`mlflow server`: its command line in a fork, as it is in a process of its own too, and the server it wants in this one."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        in_fork(lambda: tell_command(arguments, kept, writing))
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.wait()
    if not text:
        sys.exit(1)
    command, environment = json.loads(text)
    os.environ.update(environment)
    # [python, "-m", "uvicorn" or "gunicorn", ...]
    sys.argv = command[2:]
    runpy.run_module(command[2], run_name="__main__", alter_sys=True)


def run(request, kept):
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for descriptor, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, flags), descriptor)
    name, *arguments = request["run"]
    if name == "mlflow":
        serve(arguments, kept)
    else:
        sys.argv = [name, *arguments]
        runpy.run_path(name, run_name="__main__")


def in_fork(work):
    """Ends this process with what the work ends with; never returns into the loop of the forge."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def keep(connection, kept):
    """Starts what is asked for in a process group of its own, and stays with it to its end or the asker's."""
    with connection.makefile() as file:
        line = file.readline()
    if not line:
        return
    request = json.loads(line)
    # All processes of the group hold the other end: it is at its end when the last one is gone.
    alive, held = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.setsid()
        connection.close()
        os.close(alive)
        in_fork(lambda: run(request, kept))
    os.close(held)
    ready, _, _ = select.select([connection, alive], [], [])
    if connection in ready:
        # The group is there as soon as the worker has called setsid.
        while os.getpgid(worker) != worker:
            pass
        os.killpg(worker, signal.SIGKILL)
    os.read(alive, 1)
    _, status = os.waitpid(worker, 0)
    if request.get("remove"):
        shutil.rmtree(request["cwd"], ignore_errors=True)
    try:
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    except OSError:
        pass


def main():
    path, kept = sys.argv[1:]
    # No threads, which would not be there in a fork.
    os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    # Nobody waits for the keepers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    imported = False
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if not imported:
            import_all()
            imported = True
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            os.close(0)
            in_fork(lambda: keep(connection, kept))
        connection.close()


main()
