"""Makes an empty database of every schema from one revision on: DIRECTORY/REVISION.db, by MLflow's own migration scripts.

schemas.py DIRECTORY FIRST

Prints the revisions, the oldest first.
"""
import json
import pathlib
import shutil
import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

directory, first = pathlib.Path(sys.argv[1]), sys.argv[2]
path = directory / "making.db"
engine = create_engine(f"sqlite:///{path}")
InitialBase.metadata.create_all(engine)
config = _get_alembic_config(f"sqlite:///{path}")
revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
revisions = revisions[revisions.index(first):]
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, first)
for revision in revisions:
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    shutil.copy(path, directory / f"{revision}.db")
path.unlink()
print(json.dumps(revisions))
