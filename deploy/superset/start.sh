#!/bin/sh
# Makes Superset's own database, its administrator, and what lies in assets/; then serves. Every start may do so again.
set -eu
here=$(dirname "$0")
superset db upgrade
superset fab create-admin --username admin --firstname Weir --lastname Weir --email admin@localhost \
  --password "$SUPERSET_ADMIN_PASSWORD"
superset init
python "$here/register.py" "$here/assets"
exec gunicorn --bind "0.0.0.0:${SUPERSET_PORT:-8088}" --workers 1 --worker-class gthread --threads 20 --timeout 120 \
  "superset.app:create_app()"
