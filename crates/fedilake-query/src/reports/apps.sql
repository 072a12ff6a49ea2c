-- The 10 apps that people use most: bots are left out, and posts that name no app.
select app.name as app, top.posts
from (
    select app, sum(posts)::bigint as posts from {hours} where not bot and app is not null group by app
) top
join app on app.id = top.app
order by top.posts desc, app.name
limit 10
