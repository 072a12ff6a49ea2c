-- title = "On which days and hours of the week do people post?"
-- help = "posts an hour by weekday and hour of the day"
-- tab = "people"
-- order = 8
-- unit = "posts an hour"
-- of = "posts that match the filter"
-- caption = """
-- The mean number of posts of each hour of the week: posts divided by the number of such weekdays that have any post. Weekdays and hours
-- are those of the author's date in the chosen time zone, the same zone for all authors, because where an author lives is not known.
-- A weekday that was met once says little about the next one, and a day of which only a part was collected lowers its hours.
-- A weekday without any post is missing. On the days when clocks change, one hour is missing or counts twice.
-- """
-- marks = [{ kind = "heat", x = "hour", y = "weekday", value = "posts_an_hour" }]

with
    cell as (select day, hour, sum(posts) as posts from {hours} group by day, hour),
    -- 1 January 1970 was a Thursday. Days of before 1970 are negative, hence the sum within.
    placed as (select ((day + 3) % 7 + 7) % 7 as place, hour, posts, day from cell),
    week as (select place, count(distinct day) as days from placed group by place),
    summed as (select place, hour, sum(posts) as posts from placed group by place, hour)
select
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][week.place + 1] as weekday,
    clock.hour::integer as hour,
    coalesce(summed.posts, 0)::bigint as posts,
    week.days::bigint as days,
    coalesce(summed.posts, 0)::double / week.days as posts_an_hour
from week
cross join range(24) clock (hour)
left join summed on summed.place = week.place and summed.hour = clock.hour
order by week.place, clock.hour
