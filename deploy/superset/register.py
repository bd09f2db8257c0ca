"""Registers the database, datasets, charts and dashboards of a folder in Superset, over those of the same uuid.

The folder is what Superset exports: one YAML file each. A table more is a file more in datasets/.
"""

import os
import sys
from pathlib import Path

import yaml
from flask import g
from superset.app import create_app


def contents_of(folder: Path, address: str) -> dict[str, str]:
    """The files of the folder; databases have the address of the tables."""
    contents = {}
    for path in sorted(folder.rglob("*.yaml")):
        asset = yaml.safe_load(path.read_text())
        if path.parent.name == "databases":
            asset["sqlalchemy_uri"] = address
        contents[str(path.relative_to(folder))] = yaml.safe_dump(asset)
    return contents


def register(folder: Path, address: str) -> None:
    from superset import db, security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.models.core import Database

    g.user = security_manager.find_user("admin")
    contents = contents_of(folder, address)
    ImportAssetsCommand(contents).run()
    for name in contents:
        if name.startswith("databases/"):
            uuid = yaml.safe_load(contents[name])["uuid"]
            # Keeps the password apart from the address, encrypted.
            db.session.query(Database).filter_by(uuid=uuid).one().set_sqlalchemy_uri(address)
    db.session.commit()
    print(f"{len(contents) - 1} assets are registered.")


with create_app().app_context():
    register(Path(sys.argv[1]), os.environ["TABLES_URL"])
