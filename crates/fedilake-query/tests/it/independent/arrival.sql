-- {where}: a condition on the columns of `posts`. Needs `sightings` too.
with
    late as (
        select posts.author_domain as place, floor(date_diff('millisecond', posts.created_at, sightings.observed_at) / 100) as tenths
        from sightings join (select uri, created_at, author_domain from posts where {where}) posts using (uri)
        where sightings.from_origin = false and deleted_at is null
    )
select
    place, count(*), min(tenths) / 10, quantile_disc(tenths, 0.25) / 10, quantile_disc(tenths, 0.5) / 10, quantile_disc(tenths, 0.75) / 10,
    quantile_disc(tenths, 0.9) / 10, quantile_disc(tenths, 0.99) / 10
from late
group by place
order by count(*) desc, place
limit 20
