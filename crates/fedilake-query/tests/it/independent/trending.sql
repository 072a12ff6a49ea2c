-- {where}: a condition on the columns of `posts`.
with
    met as (select uri, author, created_at, tags from posts where {where}),
    aged as (
        select unnest(tags) as tag, author, floor(date_diff('millisecond', created_at, (select max(created_at) from met)) / 3600000) as ago
        from met
    ),
    hour as (select tag, ago, count(distinct author) as accounts from aged where ago < 75 group by tag, ago),
    total as (select sum(accounts) filter (ago < 3) as now, sum(accounts) filter (ago > 2) as before from hour),
    tag as (
        select tag, coalesce(sum(hour.accounts) filter (ago < 3), 0) as now, coalesce(sum(hour.accounts) filter (ago > 2), 0) as before
        from hour group by tag
    ),
    risen as (
        select tag.tag, tag.now, case when total.before > 0 then tag.before * total.now / total.before end as usual
        from tag, total
    )
select tag, now / 3, usual / 3, case when usual > 0 then now / usual end
from risen
where now > 1 and (usual is null or usual < now)
order by case when usual is null then now else (now - usual) / sqrt(1 + usual) end desc, tag
limit 25
