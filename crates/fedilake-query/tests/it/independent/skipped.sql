-- {of_skips}: a condition on the columns of `skips`.
with
    met as (select * from skips where {of_skips}),
    chosen as (select * from met where server in (select server from met group by server order by sum(events) desc, server limit 12))
select reason, server, sum(events)
from chosen
group by reason, server
order by (select sum(events) from chosen other where other.reason = chosen.reason) desc, reason, sum(events) desc, server
