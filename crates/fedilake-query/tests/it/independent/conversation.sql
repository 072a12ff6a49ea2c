-- {where}: a condition on the columns of `posts`.
select
    coalesce(map {'none': 'nobody', 'other': 'others', 'self': 'self'}[in_reply_to], 'unknown'), count(*),
    100 * count(*) / (select count(*) from posts where {where}), count(distinct author)
from posts where {where}
group by 1
order by 2 desc, 1
