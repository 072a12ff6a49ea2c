-- The rows of a table of details, counted again for each of the parts of a day's posts that have figures of their own. `day` is the day and
-- the part in one number: a part is what it has in common (bot, server, language, language and bot, from 0 to 3) and which.
select day, {columns}, sum(posts) as posts
from (
    select
        day * 4294967296::bigint + unnest([
            bot::bigint,
            1073741824::bigint + server,
            2147483648::bigint + spoken.number,
            3221225472::bigint + spoken.number * 2 + bot::bigint
        ]) as day,
        {columns}, posts
    from {table} detail
    left join spoken using (language)
    where {days}
)
where day is not null
group by day, {columns}
