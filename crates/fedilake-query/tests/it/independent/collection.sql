-- {where}: a condition on the columns of `posts`. {by}: hour, day or week. Needs `sightings` too.
with
    met as (
        select server, date_trunc('{by}', observed_at at time zone 'UTC') as seen, count(*) as posts
        from sightings where deleted_at is null and uri in (select uri from posts where {where})
        group by all
    ),
    server as (select server, sum(posts) as posts from met group by server order by posts desc, server limit 12)
select step.seen at time zone 'UTC', server.server, coalesce((select posts from met where met.seen = step.seen and met.server = server.server), 0)
from server, (
    select unnest(generate_series(greatest(min(seen), max(seen) - interval 167 {by}), max(seen), interval 1 {by})) as seen from met
) step
order by step.seen, server.posts desc, server.server
