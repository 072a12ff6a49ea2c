-- A row a day. Among equally frequent ones the first by name is named.
with
    cell as (
        select day, author, origin, bot, sum(posts) as posts from {authors} group by all
    ),
    by_author as (
        select day, author, bot, sum(posts) as posts from cell group by all
    ),
    by_origin as (
        select day, origin, sum(posts) as posts from cell group by all
    ),
    nonbot as (
        select day, min(author.name) as name
        from (from by_author where not bot qualify rank() over (partition by day order by posts desc) = 1) top
        join author on author.id = top.author
        group by day
    ),
    bot as (
        select day, min(author.name) as name
        from (from by_author where bot qualify rank() over (partition by day order by posts desc) = 1) top
        join author on author.id = top.author
        group by day
    ),
    host as (
        select day, min(origin.name) as name
        from (from by_origin qualify rank() over (partition by day order by posts desc) = 1) top
        join origin on origin.id = top.origin
        group by day
    ),
    total as (
        select day, sum(posts)::bigint as posts, count(distinct author) as users, count(distinct origin) as origins
        from cell group by day
    )
select
    strftime(date '1970-01-01' + total.day, '%Y/%m/%d %a') as day,
    total.posts,
    total.users,
    total.origins,
    nonbot.name as most_frequent_nonbot,
    bot.name as most_frequent_bot,
    'https://' || host.name as most_frequent_host
from total
left join nonbot on nonbot.day = total.day
left join bot on bot.day = total.day
left join host on host.day = total.day
order by total.day
