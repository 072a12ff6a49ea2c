-- As report completeness counts, of posts written in one span, for every server, also one that never showed a post.
with
    reader (host, domain, since) as (values {readers}),
    sighting_of_span as materialized (
        select id as post, server, first_own as own, created_at, origin
        from post
        where created_at >= make_timestamptz({from}) and created_at < make_timestamptz({until})
        union all
        select met.post, met.server, met.own, post.created_at, post.origin
        from sighting met
        join post on post.id = met.post
        anti join deleted on deleted.server = met.server and deleted.native = met.native
        where post.created_at >= make_timestamptz({from}) and post.created_at < make_timestamptz({until})
    ),
    seen as (
        select server, min(observed_at) as moment
        from (select server, observed_at from post union all select server, observed_at from sighting)
        group by server
    ),
    host as materialized (
        select lower(server.name) as name, server.id as server, seen.moment as began
        from server
        join seen on seen.server = server.id
        union all
        select reader.host, null, make_timestamptz(reader.since)
        from reader
        anti join (select name from server semi join seen on seen.server = server.id) known on lower(known.name) = reader.host
        where reader.host is not null
    ),
    -- Whose members' posts a server shows first of all: its own domain, also where that is not its host's name.
    home as materialized (
        select host.name, host.server, host.began, origin.id as origin
        from host
        join origin on lower(origin.name) = host.name
        union
        select host.name, host.server, host.began, origin.id
        from reader
        join host on host.name = reader.host
        join origin on lower(origin.name) = reader.domain
        union
        select host.name, host.server, host.began, own.origin
        from (select server, origin from post where first_own union select server, origin from sighting_of_span where own) own
        join host on host.server = own.server
    ),
    of_member as (
        select
            home.name, met.post, any_value(met.created_at) as written,
            coalesce(bool_or(met.server = home.server), false) as here, bool_or(met.server is distinct from home.server) as elsewhere
        from sighting_of_span met
        join home on home.origin = met.origin and home.began <= met.created_at
        group by home.name, met.post
    )
select
    name,
    count(*) filter (elsewhere)::ubigint,
    count(*) filter (elsewhere and here)::ubigint,
    count(*) filter (elsewhere and written >= make_timestamptz({lately}))::ubigint,
    count(*) filter (elsewhere and here and written >= make_timestamptz({lately}))::ubigint
from of_member
group by name
having count(*) filter (elsewhere) > 0
order by name
