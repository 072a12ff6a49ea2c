-- A day's posts that mention a word, in any case: a row for each word and each day that has posts, 0 where none mentions it.
with
    day as (select distinct day from {hours}),
    {asked}
select
    date '1970-01-01' + day.day as day, asked.word as topic, coalesce(hit.posts, 0)::bigint as posts
from day
cross join asked
left join hit on hit.day = day.day and hit.word = asked.word
order by day.day, asked.word
