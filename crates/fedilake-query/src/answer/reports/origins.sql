-- title = "Which servers do posts come from?"
-- help = "the 20 origins with most posts, and how much of everything they are"
-- tab = "people"
-- order = 2
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- An origin is the server that an author's account lives on, whichever server showed the post. The 20 with most posts are shown with their
-- distinct accounts; the last column adds up the percentages from the first row on. A server's own members are seen best on the server itself:
-- origins that we read have more of their posts here than those whose posts must first be asked for by somebody on a server that we read.
-- """
-- marks = [{ kind = "bars", x = "origin", y = "posts" }, { kind = "table" }]
-- click = { origin = "origin" }

with
    cell as materialized (select origin, sum(posts)::bigint as posts from {origins} group by origin),
    most as materialized (
        select cell.origin, origin.name, cell.posts
        from cell
        join {origin} origin on origin.id = cell.origin
        -- Names are looked up for those that may be among the 20 only.
        where cell.posts >= coalesce((select min(posts) from (select posts from cell order by posts desc limit 20)), 0)
        order by cell.posts desc, origin.name
        limit 20
    ),
    account as (
        select origin, count(distinct author) as accounts
        from {authors}
        where origin in (select origin from most)
        group by origin
    )
select
    most.name as origin,
    most.posts,
    account.accounts,
    most.posts::double / account.accounts as posts_an_account,
    100.0::double * most.posts / (select sum(posts) from cell) as percent_of_posts,
    100.0::double * sum(most.posts) over (order by most.posts desc, most.name rows unbounded preceding) / (select sum(posts) from cell) as percent_together
from most
join account on account.origin = most.origin
order by most.posts desc, most.name
