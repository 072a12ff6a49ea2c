-- title = "When did each server show posts?"
-- help = "posts by the server that showed them and the moment at which we saw them"
-- tab = "collector"
-- order = 1
-- unit = "posts"
-- of = "times that a server showed a post that matches the filter"
-- caption = """
-- Posts by the hour (or the day, or the week from Monday) in which we saw them, in UTC because it is our own clock's time, for each server that showed them; a post
-- that several servers showed counts for each. The newest 168 steps and the 12 servers with most are shown. A step in which a server
-- showed nothing is a 0: it was quiet, or not read. Where all are 0, most likely nothing was read. A server that is read again after a pause brings what it still has
-- of that time at once, so a peak after a hole is a hole that was filled. The times in which a server was not read are hatched on the time line and listed on the
-- page's tab Collector, with what was skipped (boosts, posts that are not public, authors who ask not to be collected): only the process that collects knows them, so
-- neither this report nor a replica has them. Posts that were deleted since are not counted.
-- """
-- marks = [{ kind = "line", x = "seen", y = "posts", series = "server" }]
-- click = { server = "server" }

with
    cell as materialized (
        select
            server,
            case '{by}'
                when 'hour' then epoch_ms(observed_at) // 3600000
                when 'week' then (epoch_ms(observed_at) // 86400000 + 3) // 7
                else epoch_ms(observed_at) // 86400000
            end as step,
            count(*) as posts
        from {sightings}
        group by 1, 2
    ),
    most as (
        select total.server, server.name, total.posts
        from (select server, sum(posts) as posts from cell group by server) total
        join {server} server on server.id = total.server
        order by total.posts desc, server.name
        limit 12
    ),
    -- Every step, so that a time in which no server was read shows as a hole.
    shown as (
        select unnest(range(greatest(first, last - 167), last + 1)) as step
        from (select min(step) as first, max(step) as last from cell)
        where first is not null
    )
select
    make_timestamptz(
        case '{by}' when 'hour' then shown.step * 3600 when 'week' then (shown.step * 7 - 3) * 86400 else shown.step * 86400 end * 1000000
    ) as seen,
    most.name as server,
    coalesce(cell.posts, 0)::bigint as posts
from shown
cross join most
left join cell on cell.step = shown.step and cell.server = most.server
order by shown.step, most.posts desc, most.name
