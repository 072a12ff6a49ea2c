-- {where}: a condition on the columns of `posts`.
with met as (select substring(trim(lower(spoiler_text)), 1, 80) as warning, author from posts where {where} and length(trim(spoiler_text)) > 0)
select
    warning, count(distinct author), count(*),
    100 * count(distinct author) / (select count(*) from (select author from met group by author))
from met
group by warning
order by 2 desc, 3 desc, 1
limit 25
