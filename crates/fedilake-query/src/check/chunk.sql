create schema if not exists internal;

-- The files, each with the number of its log and the offsets for which it answers.
create or replace table internal.chunk (path varchar, log integer, log_name varchar, partition integer, first bigint, next bigint);

create or replace table internal.spelling (person ubigint, name varchar);
