-- title = "Which apps do people use?"
-- help = "the 10 apps with most posts by people"
-- tab = "overview"
-- order = 6
-- unit = "posts"
-- of = "posts by people whose app is known"
-- caption = """
-- The 10 apps with most posts by accounts that do not say that they are bots. A server tells the app only for its own members' posts,
-- never for those from elsewhere, and an author may hide it: this is a picture of the members of the servers that we read, who
-- need not use what others use. Versions of an app that call themselves differently are different apps here.
-- """
-- marks = [{ kind = "bars", x = "app", y = "posts" }]
-- click = { app = "app" }
-- note = "the app is known for {named} of {posts} posts by people: apps do not federate"

select app.name as app, top.posts
from (
    select app, sum(posts)::bigint as posts from {usage} where not bot and app is not null group by app
) top
join {app} on app.id = top.app
order by top.posts desc, app.name
limit 10;
select coalesce(sum(posts) filter (where app is not null), 0)::bigint as named, coalesce(sum(posts), 0)::bigint as posts
from {usage} where not bot
