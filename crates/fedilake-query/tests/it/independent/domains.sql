-- {where}: a condition on the columns of `posts`.
with
    link as (select author, u.link from posts, unnest(links) u(link) where {where}),
    met as (
        select author, regexp_replace(regexp_replace(regexp_replace(regexp_replace(lower(link), '^https?://', ''), '[/?#].*$', ''), '^.*@', ''), '^www\.', '') as place
        from link
    ),
    domain as (select author, case when place[1] = '[' then regexp_replace(place, '\].*$', ']') else regexp_replace(place, ':.*$', '') end as domain from met)
select domain, count(*), count(distinct author), 100 * count(*) / (select count(*) from link)
from domain
where domain <> ''
group by domain
order by count(*) desc, domain
limit 25
