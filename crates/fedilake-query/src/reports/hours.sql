-- Posts an hour of the day, UTC, 24 rows for each day that has any.
with
    cell as (select day, hour, sum(posts)::bigint as posts from {hours} group by all)
select
    date '1970-01-01' + day.day as day,
    clock.hour::integer as hour,
    coalesce(cell.posts, 0)::bigint as posts
from (select distinct day from cell) day
cross join range(24) clock (hour)
left join cell on cell.day = day.day and cell.hour = clock.hour
order by day.day, clock.hour
