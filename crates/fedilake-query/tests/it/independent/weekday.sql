-- {where}: a condition on the columns of `posts`. {timezone}: the chosen zone's name.
with
    met as (
        select dayname(local) as name, isodow(local) as number, local::date as day, hour(local) as hour, count(*) as posts
        from (select created_at at time zone '{timezone}' as local from posts where {where})
        group by all
    )
select name, h::integer, coalesce(sum(posts) filter (hour = h), 0)::bigint, count(distinct day), coalesce(sum(posts) filter (hour = h), 0) / count(distinct day)
from met, range(24) r(h)
group by name, number, h
order by number, h
