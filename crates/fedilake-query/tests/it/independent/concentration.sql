-- {where}: a condition on the columns of `posts`.
with
    member as (
        select 'accounts' as among, count(*) as posts from posts where {where} group by author
        union all
        select 'origins', count(*) from posts where {where} group by author_domain
    ),
    ranked as (
        select
            among, posts, row_number() over w as i, sum(posts) over (w rows unbounded preceding) as upto,
            count(*) over (partition by among) as n, sum(posts) over (partition by among) as total
        from member
        window w as (partition by among order by posts)
    ),
    index as (
        select among, max(n) as n, max(total) as total, 2 * sum(i * posts) / (max(n) * sum(posts)) - (max(n) + 1) / max(n) as gini, sum(pow(100 * posts / total, 2)) as hhi
        from ranked
        group by among
    ),
    point as (select index.*, percent, percent * n // 100 as whole, percent * n % 100 as rest from index, range(101) r(percent))
select
    point.among, percent::integer, 100 * (coalesce(lower.upto, 0) + coalesce(next.posts, 0) * rest / 100) / point.total, gini, hhi
from point
left join ranked lower on lower.among = point.among and lower.i = point.whole
left join ranked next on next.among = point.among and next.i = point.whole + 1
order by point.among, percent
