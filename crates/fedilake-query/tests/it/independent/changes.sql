-- {where}: a condition on the columns of `posts`. {of_deletes}: the same on those of `deletes`, if
-- {of_deletes_known}: false if the condition has columns that `deletes` lacks.
with
    step(n, name, wait) as (
        values (1, '1 minute', interval 1 minute), (2, '5 minutes', interval 5 minute), (3, '15 minutes', interval 15 minute), (4, '1 hour', interval 1 hour),
            (5, '6 hours', interval 6 hour), (6, '1 day', interval 1 day), (7, '1 week', interval 7 day), (8, 'any time', null)
    ),
    met as (select created_at, edited_at as changed_at from posts where {where}),
    gone as (select created_at, deleted_at as changed_at from deletes where {of_deletes}),
    counted as (select (select count(*) from met) as met, (select count(*) from gone) as gone),
    kind as (
        select 0 as place, 'edited' as change, met as posts from counted
        union all
        select 1, 'deleted', met + gone from counted
    ),
    known as (
        select 0 as place, * from met where changed_at is not null
        union all
        select 1, * from gone
    ),
    within as (
        select kind.*, n, name, list_sort(list(epoch_ms(changed_at) - epoch_ms(created_at)) filter (known.place is not null)) as waits
        from kind cross join step left join known on known.place = kind.place and (wait is null or created_at + wait >= changed_at)
        where posts > 0 and (kind.place = 0 or ({of_deletes_known}))
        group by all
    )
select
    change, name, coalesce(len(waits), 0), 1000 * coalesce(len(waits), 0) / posts,
    waits[ceil(0.5 * len(waits))::bigint] / 1000, waits[ceil(0.9 * len(waits))::bigint] / 1000
from within
order by place, n
