create schema if not exists internal;

-- Every row of the table, with the file's path and the log from the last folder log=… in it. Columns that a file lacks are null; unknown
-- columns are left out.
create or replace view internal.table_rows as
select
    {columns},
    regexp_extract(file_of_table, '(?:^|[/\\])log=([^/\\]+)(?:[/\\]partition=[^/\\]+)?[/\\][^/\\]+$', 1) as log,
    file_of_table as file
from (
    select {typed}, null::varchar as file_of_table where false
    union all by name
    select * from read_parquet({files}, union_by_name = true, hive_partitioning = false, filename = 'file_of_table')
);

-- One row for each time that a server showed a post.
create or replace view internal.shown as
select {shown}
from internal.table_rows
where {is_shown};

-- The time at which a server first deleted the post with this id.
create or replace view internal.deletes as
select {name_of_server} as server, id, min({deleted_at}) as deleted_at
from internal.table_rows
where {is_delete}
group by all;

