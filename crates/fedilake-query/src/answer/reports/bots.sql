-- title = "How do bots post, and how do people?"
-- help = "habits of accounts that say they are bots beside those of all others"
-- tab = "people"
-- order = 5
-- unit = "percent of posts"
-- of = "the posts of bots, and those of people, that match the filter"
-- caption = """
-- A bot is an account that says that it is automated; one that does not say so counts as a person, so bots are more than these. An account that was
-- seen both ways counts on both sides, with the posts of each. The percentages are those of the posts of each side: posts that answer
-- somebody (also their author), have a hashtag, a link, media, a content warning, or were edited. How much each side posts is in the note.
-- """
-- marks = [{ kind = "bars", x = "habit", y = "percent", series = "account" }]
-- click = { account = "bot" }
-- note = "{bot_posts} posts by {bots} bots and {people_posts} posts by {people} people; {bot_characters} and {people_characters} characters a post"

with
    -- Posts with the same habits are counted together first, which takes a third less than counting each habit of each post.
    alike as (
        select
            bot, in_reply_to in ('self', 'other') as replies, len(tags) > 0 as tags, len(links) > 0 as links, media > 0 as media,
            spoiler_text <> '' as warning, edited_at is not null as edited, count(*) as posts
        from {posts}
        group by all
    ),
    counted as (
        select
            bot, sum(posts)::bigint as posts,
            coalesce(sum(posts) filter (where replies), 0)::bigint as replies,
            coalesce(sum(posts) filter (where tags), 0)::bigint as tags,
            coalesce(sum(posts) filter (where links), 0)::bigint as links,
            coalesce(sum(posts) filter (where media), 0)::bigint as media,
            coalesce(sum(posts) filter (where warning), 0)::bigint as warnings,
            coalesce(sum(posts) filter (where edited), 0)::bigint as edits
        from alike
        group by bot
    ),
    habit as (
        select
            bot, posts,
            unnest([
                {'n': 1, 'habit': 'replies', 'with': replies}, {'n': 2, 'habit': 'hashtags', 'with': tags}, {'n': 3, 'habit': 'links', 'with': links},
                {'n': 4, 'habit': 'media', 'with': media}, {'n': 5, 'habit': 'content warning', 'with': warnings}, {'n': 6, 'habit': 'edited', 'with': edits}
            ]) as h
        from counted
    )
select
    h.habit as habit,
    case when bot then 'bots' else 'people' end as account,
    h.with as posts_with,
    posts,
    100.0::double * h.with / posts as percent
from habit
order by h.n, account desc
;
select
    coalesce(sum(posts) filter (where bot), 0)::bigint as bot_posts,
    (select count(distinct author) from {authors} where bot) as bots,
    coalesce(sum(posts) filter (where not bot), 0)::bigint as people_posts,
    (select count(distinct author) from {authors} where not bot) as people,
    coalesce(round(sum(posts * characters::bigint) filter (where bot) / sum(posts) filter (where bot)), 0)::bigint as bot_characters,
    coalesce(round(sum(posts * characters::bigint) filter (where not bot) / sum(posts) filter (where not bot)), 0)::bigint as people_characters
from {lengths}
