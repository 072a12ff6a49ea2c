-- The figures of each day that has posts. Of equally frequent names, the first in alphabetical order is chosen.
with
    cell as (from {distinct_authors}),
    total as (
        select day, sum(posts)::bigint as posts, count(*) as cells,
            max(posts) filter (where not bot) as nonbot_most, max(posts) filter (where bot) as bot_most
        from cell
        group by day
    ),
    -- An author has two cells on a day only if the account was seen both as a bot and not as a bot.
    twice as (
        select day, count(*) as cells
        from (select day, author from cell join {author} on author.id = cell.author where author.two_faced group by day, author having count(*) > 1)
        group by day
    ),
    -- The few authors with most posts, before their names are looked up.
    most as materialized (
        select total.day, cell.bot, cell.author
        from total
        join cell on cell.day = total.day and cell.posts = case when cell.bot then total.bot_most else total.nonbot_most end
    ),
    named as (
        select most.day, min(author.name) filter (where not most.bot) as nonbot, min(author.name) filter (where most.bot) as bot
        from most
        join {author} on author.id = most.author
        group by most.day
    ),
    by_origin as (
        select day, origin, sum(posts) as posts from {origins} group by day, origin
    ),
    origins as (
        select day, count(*) as origins, max(posts) as most from by_origin group by day
    ),
    host as (
        select origins.day, any_value(origins.origins) as origins, min(origin.name) as name
        from origins
        join by_origin on by_origin.day = origins.day and by_origin.posts = origins.most
        join {origin} on origin.id = by_origin.origin
        group by origins.day
    )
select
    total.day,
    total.posts,
    total.cells - coalesce(twice.cells, 0) as users,
    host.origins,
    named.nonbot as most_frequent_nonbot,
    named.bot as most_frequent_bot,
    'https://' || host.name as most_frequent_host
from total
join host on host.day = total.day
left join twice on twice.day = total.day
left join named on named.day = total.day
