-- {of_gaps}: a condition on the columns of `gaps`.
select server, from_at, to_at, if(filled, 'filled', 'planned'), date_diff('millisecond', from_at, to_at) / 60000
from gaps where {of_gaps}
order by from_at desc, server
limit 200
