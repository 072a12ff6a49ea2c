-- title = "When do people post?"
-- help = "posts of each hour of each day"
-- tab = "overview"
-- order = 3
-- unit = "posts an hour"
-- of = "posts that match the filter"
-- caption = """
-- Posts by day and hour of the author's date, in the chosen time zone for all authors: where an author lives is not known, so an evening
-- here is an evening for some of them only. Every hour of a day that has any post is a row, 0 where nothing was posted or nothing was
-- read; report collection tells these apart. On days when clocks change, one hour is missing or counts twice. Bots are included unless
-- they are filtered out; they often post on the hour.
-- """
-- marks = [{ kind = "heat", x = "hour", y = "day", value = "posts" }]
-- click = { day = "time" }

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
