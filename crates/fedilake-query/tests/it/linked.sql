-- title = "Who links?"
-- help = "posts with a link, by origin"
-- tab = "conversation"
-- order = 99
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = "An origin is the server of the author."
-- marks = [{ kind = "bars", x = "origin", y = "linked" }]
-- click = { origin = "origin" }
-- note = "{linked} of {posts} posts have a link"

select origin.name as origin, count(*) filter (where len(links) > 0) as linked, count(*) as posts
from {posts} post
join {origin} on origin.id = post.origin
group by origin.name
order by linked desc, origin.name;
select count(*) filter (where len(links) > 0) as linked, count(*) as posts
from {posts}
