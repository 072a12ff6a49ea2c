-- Of how many posts by people the app is known.
select coalesce(sum(posts) filter (where app is not null), 0)::bigint as named, coalesce(sum(posts), 0)::bigint as posts
from {hours} where not bot
