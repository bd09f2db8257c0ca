-- What Weir may do in Postgres, and what those who only read its tables may: nothing beyond a schema of its own.
-- An administrator runs it once, in the database that Weir is to use:
--   psql -d weir -v weir_password=… -v reader_password=… -f deploy/postgres/grants.sql
create role weir login password :'weir_password';
create role weir_reader login password :'reader_password';

-- Weir makes its tables by itself, and owns them.
create schema weir authorization weir;
alter role weir in database :"DBNAME" set search_path = weir;

-- Readers see the tables that are there, and those to come.
alter role weir_reader in database :"DBNAME" set search_path = weir;
alter role weir_reader set default_transaction_read_only = on;
grant usage on schema weir to weir_reader;
alter default privileges for role weir in schema weir grant select on tables to weir_reader;

-- Nobody else, and neither of them, makes anything elsewhere in this database.
revoke all on database :"DBNAME" from public;
revoke create on schema public from public;
grant connect on database :"DBNAME" to weir, weir_reader;
