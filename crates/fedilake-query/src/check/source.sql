-- The rows of some files as they count: 0 a post that a server showed, 1 a delete, 2 neither.
create or replace view internal.source as
select
    * replace (case when sort = 1 then {deleted_at} else observed_at end as observed_at),
    hash(lower(author), author_domain) as person
from (
    select {shown}
    from (
        select {columns}, file_of_table, case when {is_shown} then 0 when {is_delete} then 1 else 2 end as sort
        from (
            select {typed}, null::varchar as file_of_table where false
            union all by name
            select * from read_parquet({files}, union_by_name = true, hive_partitioning = false, filename = 'file_of_table')
        )
    )
);
