-- {where}: a condition on the columns of `posts`.
with
    kinds as (select uri, string_agg(distinct kind, ',') as kinds from (select uri, unnest(media_types) as kind from posts where {where}) group by uri),
    met as (
        select
            case when kinds is null then 'unknown' when contains(kinds, ',') then 'several kinds' else kinds end as media,
            posts.media as attachments, ifnull(posts.media_described, 0) as described
        from posts left join kinds using (uri)
        where posts.media >= 1 and {where}
    )
select media, count(*), sum(attachments)::bigint, sum(described)::bigint, avg(described) / avg(attachments) * 100
from met
group by media
order by sum(attachments) desc, media
limit 20
