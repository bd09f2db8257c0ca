#!/bin/sh
# Run by the images of MariaDB and of MySQL when their volume is empty.
set -eu
client=$(command -v mariadb || command -v mysql)
"$client" -u root --password="$ROOT_PASSWORD" -e "
  set @weir_password = '$WEIR_PASSWORD', @reader_password = '$READER_PASSWORD';
  source /grants.sql"
