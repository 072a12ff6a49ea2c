-- title = "Do people talk with each other?"
-- help = "posts that answer nobody, others, or their own author"
-- tab = "conversation"
-- order = 2
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- Posts by whom they answer: nobody (a post that begins something), another account, or their own author (mostly the next part of a
-- thread). Only public posts are collected: many answers are unlisted, or for mentioned people only, so there are more answers than these. A post that
-- mentions somebody without answering a post of theirs answers nobody here; boosts are not posts. unknown is what an imported record does not say.
-- """
-- marks = [{ kind = "bars", x = "answers", y = "posts" }, { kind = "table" }]

with
    cell as (select in_reply_to, author, count(*) as posts from {posts} group by in_reply_to, author)
select
    case in_reply_to when 'none' then 'nobody' when 'other' then 'others' when 'self' then 'self' else 'unknown' end as answers,
    sum(posts)::bigint as posts,
    100.0::double * sum(posts) / (select count(*) from {posts}) as percent_of_posts,
    count(distinct author) as accounts
from cell
group by 1
order by posts desc, 1
