-- What Weir may do in MariaDB or MySQL, and what those who only read its tables may: nothing beyond one database.
-- An administrator runs it once:
--   mariadb -e "set @weir_password = '…', @reader_password = '…'; source deploy/mariadb/grants.sql"
create database if not exists weir character set utf8mb4;

set @statement = concat('create user ''weir''@''%'' identified by ', quote(@weir_password));
prepare made from @statement;
execute made;
set @statement = concat('create user ''weir_reader''@''%'' identified by ', quote(@reader_password));
prepare made from @statement;
execute made;
deallocate prepare made;

-- Weir makes its tables and views by itself. It alters a table whose column may be empty from then on, and replaces a
-- view by dropping it.
grant select, insert, update, delete, create, alter, drop, create view on weir.* to 'weir'@'%';
grant select on weir.* to 'weir_reader'@'%';
