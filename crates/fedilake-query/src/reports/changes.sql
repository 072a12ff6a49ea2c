-- title = "How soon are posts edited?"
-- help = "posts of 1,000 that were edited within a minute, an hour, a day"
-- tab = "conversation"
-- order = 7
-- unit = "posts of 1,000"
-- of = "posts that match the filter"
-- caption = """
-- Of 1,000 posts, the number whose last edit came within the time after the author's date; each row includes the ones before it. Only the
-- last edit of a post is known, so a post that was edited twice counts with the later time. An edit is known only if a server that we read
-- showed the post again, and recent posts may still be edited: the last rows are least final. Both times are the authors' servers' claims. Deletes are not
-- counted: deleted posts are not kept.
-- """
-- marks = [{ kind = "bars", x = "within", y = "per_1000" }, { kind = "table" }]

with
    edit as (select (epoch_ms(edited_at) - epoch_ms(created_at)) / 1000.0 as seconds, posts from (select created_at, edited_at, count(*) as posts from {posts} where edited_at is not null group by all)),
    total as (select count(*) as posts from {posts})
select
    step.within as within,
    coalesce(sum(edit.posts) filter (where edit.seconds <= step.seconds), 0)::bigint as edited,
    1000.0::double * coalesce(sum(edit.posts) filter (where edit.seconds <= step.seconds), 0) / any_value(total.posts) as per_1000
from (
    values
        (1, '1 minute', 60::double), (2, '5 minutes', 300), (3, '15 minutes', 900), (4, '1 hour', 3600), (5, '6 hours', 21600), (6, '1 day', 86400),
        (7, '1 week', 604800), (8, 'any time', 1e18)
) step (n, within, seconds)
join total on total.posts > 0
left join edit on true
group by step.n, step.within
order by step.n
