-- The oldest open days, as many as have {posts_max} posts together. A day whose posts were all deleted has none.
create or replace temp table sealing as
with
    open as (select day from day where not sealed and {condition}),
    counted as (select day, count(*) as posts from post semi join open using (day) group by day),
    summed as (
        select open.day, coalesce(counted.posts, 0) as posts, sum(coalesce(counted.posts, 0)) over (order by open.day) as together
        from open
        left join counted on counted.day = open.day
    )
select day, posts from summed where together - posts < {posts_max};
