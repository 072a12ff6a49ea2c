-- {where}: a condition on the columns of `posts`. Needs `sightings` too.
with
    shown as (select uri, list_sort(list(distinct server)) as servers from sightings where deleted_at is null and uri in (select uri from posts where {where}) group by uri),
    kind as (select servers, count(*) as n from shown group by servers),
    server as (select server, sum(n)::bigint as posts from (select unnest(servers) as server, n from kind) group by server order by posts desc, server limit 12),
    pair as (
        select one.server as server, one.posts as posts, null as other, null as size, coalesce(sum(n) filter (servers = [one.server]), 0)::bigint as shared
        from server one, kind group by all
        union all
        select one.server, one.posts, two.server, two.posts, coalesce(sum(n) filter (list_contains(servers, one.server) and list_contains(servers, two.server)), 0)::bigint
        from server one, server two, kind where one.server <> two.server group by all
    )
select server, ifnull(other, 'no other'), posts, shared, 100 * shared / posts
from pair
order by posts desc, server, size desc nulls first, other
