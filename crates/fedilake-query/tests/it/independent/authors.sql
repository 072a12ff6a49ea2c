-- {where}: a condition on the columns of `posts`.
select author, max(author_bot), count(*), 100 * count(*) / (select count(*) from posts where {where})
from posts where {where}
group by author
order by 3 desc, 1
limit 20
