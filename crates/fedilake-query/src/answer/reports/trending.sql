-- title = "Which hashtags rise now?"
-- help = "hashtags that more accounts use in the last three hours than usual"
-- tab = "conversation"
-- order = 1
-- unit = "accounts an hour"
-- of = "posts that match the filter and have a hashtag"
-- caption = """
-- Now is the last three hours before the newest post that matches the filter. An account counts once an hour for a hashtag, however often it posts, so
-- that one loud account is no trend. The usual hour is what the hashtag would have now if it kept the part that it had of all uses of hashtags
-- in the 72 hours before: a busy evening lifts all hashtags and makes none rise. Shown are up to 25 hashtags with at least two uses, the least likely to be chance
-- first: (now − usual) ÷ √(usual + 1), over the three hours. What is used every Friday rises each Friday. With fewer than three hours before, the
-- usual hour says little; without any it is missing, and most used comes first. People who spell a hashtag in several ways are apart, but for capitals.
-- """
-- marks = [{ kind = "bars", x = "hashtag", y = "accounts_an_hour" }, { kind = "table" }]
-- click = { hashtag = "hashtag" }

with
    newest as (select max(created_at) as created_at from {posts}),
    recent as (
        select tags, author, (epoch_ms((select created_at from newest)) - epoch_ms(created_at)) // 3600000 as ago
        from {posts}
        where created_at > (select created_at from newest) - interval 75 hour and len(tags) > 0
    ),
    use as (select distinct unnest(tags) as tag, ago, author from recent),
    counted as (
        select tag, count(*) filter (where ago < 3) as now, count(*) filter (where ago >= 3) as before from use group by tag
    ),
    -- Everything is over the three hours until it is shown.
    compared as (
        select
            tag, now,
            before::double * (sum(now) over ()) / nullif(sum(before) over (), 0) as usual
        from counted
    )
select
    tag as hashtag,
    now::double / 3 as accounts_an_hour,
    usual / 3 as usual_an_hour,
    now / nullif(usual, 0) as times_usual
from compared
where now >= 2 and (usual is null or now > usual)
order by coalesce((now - usual) / sqrt(usual + 1), now) desc, tag
limit 25
