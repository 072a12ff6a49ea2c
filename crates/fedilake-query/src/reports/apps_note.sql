-- The number of posts by people whose app is known.
select coalesce(sum(posts) filter (where app is not null), 0)::bigint as named, coalesce(sum(posts), 0)::bigint as posts
from {hours} where not bot
