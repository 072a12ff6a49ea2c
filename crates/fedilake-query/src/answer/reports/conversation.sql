-- title = "Do people talk with each other?"
-- help = "posts that answer nobody, others or their author, and the part that is answered"
-- tab = "conversation"
-- order = 2
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- Posts by whom they answer: nobody (a post that begins something), another account, or their own author (mostly the next part of a
-- thread). Answered are those that another account answered with a post that we have, whether that one matches the filter or not, and the median
-- wait is that of the first such answer, by the authors' dates. Only public posts are collected, and many answers are unlisted, or for mentioned people only, or on
-- servers that we do not read: so more is answered than this, and recent posts may still be. A post that mentions somebody without answering a post
-- of theirs answers nobody here; boosts are not posts. unknown is what an imported record does not say.
-- """
-- marks = [{ kind = "bars", x = "answers", y = "posts" }, { kind = "table" }]

with
    -- An answer may claim to be earlier than what it answers.
    answered as (
        select in_reply_to, greatest(min(epoch_ms(answered_at)) - epoch_ms(any_value(created_at)), 0) as wait_ms
        from {answers}
        where not own
        group by post, in_reply_to
    ),
    waited as (
        select in_reply_to, count(*) as answered, quantile_disc(wait_ms, 0.5) as wait_ms from answered group by in_reply_to
    ),
    total as (select in_reply_to, count(*) as posts from {posts} group by in_reply_to)
select
    case total.in_reply_to when 'none' then 'nobody' when 'other' then 'others' when 'self' then 'self' else 'unknown' end as answers,
    total.posts,
    100.0::double * total.posts / sum(total.posts) over () as percent_of_posts,
    coalesce(waited.answered, 0) as answered,
    100.0::double * coalesce(waited.answered, 0) / total.posts as answered_percent,
    waited.wait_ms / 60000.0::double as median_minutes
from total
left join waited on waited.in_reply_to is not distinct from total.in_reply_to
order by total.posts desc, answers
