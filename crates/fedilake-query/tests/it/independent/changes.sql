-- {where}: a condition on the columns of `posts`.
with
    step(n, name, wait) as (
        values (1, '1 minute', interval 1 minute), (2, '5 minutes', interval 5 minute), (3, '15 minutes', interval 15 minute), (4, '1 hour', interval 1 hour),
            (5, '6 hours', interval 6 hour), (6, '1 day', interval 1 day), (7, '1 week', interval 7 day), (8, 'any time', null)
    ),
    met as (select created_at, edited_at from posts where {where})
select
    name,
    (select count(*) from met where edited_at is not null and (wait is null or created_at + wait >= edited_at)),
    1000 * (select count(*) from met where edited_at is not null and (wait is null or created_at + wait >= edited_at)) / (select count(*) from met)
from step
where exists (from met)
order by n
