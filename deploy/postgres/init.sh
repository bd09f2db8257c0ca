#!/bin/sh
# Run by the image of Postgres when its volume is empty.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v weir_password="$WEIR_PASSWORD" -v reader_password="$READER_PASSWORD" -f /grants.sql
