"""Superset on one machine: its own database is a file of its volume, and it caches nothing."""

import os

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ.get('SUPERSET_HOME', '/app/superset_home')}/superset.db"

# Reached over HTTP at a loopback address only: behind TLS, leave both of these out.
TALISMAN_ENABLED = False
SESSION_COOKIE_SAMESITE = "Lax"
