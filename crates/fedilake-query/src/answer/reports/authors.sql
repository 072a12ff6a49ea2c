-- title = "Who posts most?"
-- help = "the 20 accounts with most posts"
-- tab = "people"
-- order = 3
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- The 20 accounts (name@server) with most posts. bot is what the account says of itself; one that was seen both ways counts as a bot.
-- Many posts say nothing about how many people read them. One person may have several accounts, and several people may share one.
-- """
-- marks = [{ kind = "bars", x = "author", y = "posts" }, { kind = "table" }]

with
    cell as materialized (select author, sum(posts)::bigint as posts, bool_or(bot) as bot from {authors} group by author)
select
    author.name as author,
    cell.bot,
    cell.posts,
    100.0::double * cell.posts / (select sum(posts) from cell) as percent_of_posts
from cell
join {author} author on author.id = cell.author
where cell.posts >= coalesce((select min(posts) from (select posts from cell order by posts desc limit 20)), 0)
order by cell.posts desc, author.name
limit 20
