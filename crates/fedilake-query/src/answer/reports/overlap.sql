-- title = "What does each server add?"
-- help = "posts that each server showed, and the part that another server showed too"
-- tab = "people"
-- order = 7
-- unit = "percent of posts"
-- of = "posts that match the filter and that the server showed"
-- caption = """
-- A row of the picture is a server that we read; its columns give the percentage of its posts that no other server showed, and that each other server showed too. The
-- 12 servers with most posts are shown, compared with all others. A server that shows little alone could be left out without losing much, as long as the others are read.
-- A server shows the posts of its members and those that its members' follows brought there; and only while we read it: a server that was
-- read for a part of the time looks smaller than it is. A copy that a server has deleted does not count.
-- """
-- marks = [{ kind = "heat", x = "also_on", y = "server", value = "percent" }]
-- click = { server = "server" }

with
    -- Every post has a first server; few have others.
    later as materialized (
        select distinct post, server, first_server from {sightings} where server <> first_server
    ),
    shown as materialized (
        select server, sum(posts) as posts
        from (
            select server, count(*) as posts from {posts} group by server
            union all
            select server, count(*) from later group by server
        )
        group by server
    ),
    most as materialized (
        select shown.server, server.name, shown.posts
        from shown
        join {server} server on server.id = shown.server
        order by shown.posts desc, server.name
        limit 12
    ),
    pair as (
        select server, other, count(*) as posts
        from (
            select server, first_server as other from later
            union all
            select first_server, server from later
            union all
            select one.server, two.server from later one join later two on two.post = one.post and two.server <> one.server
        )
        group by server, other
    ),
    shared as (
        select server, count(*) as posts
        from (select server from later union all select first_server from (select distinct post, first_server from later))
        group by server
    ),
    cell as (
        select most.server, 0 as place, 'no other' as also_on, most.posts - coalesce(shared.posts, 0) as posts
        from most
        left join shared on shared.server = most.server
        union all
        select one.server, two.posts, two.name, coalesce(pair.posts, 0)
        from most one
        join most two on two.server <> one.server
        left join pair on pair.server = one.server and pair.other = two.server
    )
select
    most.name as server,
    cell.also_on,
    most.posts::bigint as posts_of_server,
    cell.posts::bigint as posts,
    100.0::double * cell.posts / most.posts as percent
from cell
join most on most.server = cell.server
order by most.posts desc, most.name, cell.place = 0 desc, cell.place desc, cell.also_on
