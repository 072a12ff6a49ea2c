-- {where}: a condition on the columns of `posts`. {by}: hour, day or week. Needs `sightings` too.
with
    chosen as (select uri, created_at, author_domain from posts where {where}),
    shown as (
        select server, uri, observed_at, from_origin, created_at, author_domain
        from sightings join chosen using (uri) where deleted_at is null
    ),
    server as (select server, min(observed_at) as began from shown group by server),
    home as (
        select server.server, server.began, domain
        from server, (select distinct author_domain as domain from posts)
        where lower(domain) = lower(server.server)
            or exists (from shown where shown.server = server.server and shown.author_domain = domain and shown.from_origin)
    ),
    post as (
        select
            home.server, date_trunc('{by}', chosen.created_at at time zone 'UTC') as written,
            exists (from shown where shown.uri = chosen.uri and shown.server = home.server) as here,
            exists (from shown where shown.uri = chosen.uri and shown.server <> home.server) as elsewhere
        from chosen join home on chosen.author_domain = home.domain and chosen.created_at >= home.began
    ),
    step as (
        select
            server, written, count(*) filter (here) as here, count(*) filter (elsewhere) as elsewhere,
            count(*) filter (here and elsewhere) as common
        from post group by all having bool_or(elsewhere)
    ),
    most as (select server, sum(elsewhere) as posts from step group by server order by posts desc, server limit 12)
select
    written at time zone 'UTC', server, here, elsewhere, common, 100 * common / elsewhere, here * elsewhere / nullif(common, 0)
from step join most using (server)
where written > (select max(written) from step semi join most using (server)) - interval 168 {by}
order by written, posts desc, server
