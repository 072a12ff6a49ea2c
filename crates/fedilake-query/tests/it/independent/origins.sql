-- {where}: a condition on the columns of `posts`.
with origin as (
    select author_domain as name, count(*) as posts, count(distinct author) as accounts
    from posts where {where} group by author_domain
    order by posts desc, name limit 20
)
select
    name, posts, accounts, posts / accounts, 100 * posts / (select count(*) from posts where {where}),
    100 * (select sum(o.posts) from origin o where o.posts > origin.posts or (o.posts = origin.posts and o.name <= origin.name))
        / (select count(*) from posts where {where})
from origin
order by posts desc, name
