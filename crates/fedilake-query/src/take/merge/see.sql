-- The sightings of these posts: all of the posts that may have more than one, and the earliest that was not deleted.
create or replace temp table seen as
select uri_hash, server, native, any_value(native_text) as native_text, min(observed_at) as observed_at, bool_or(own) as own
from (
    select live.uri_hash, live.server, live.native, live.native_text, live.observed_at, live.own
    from live
    semi join (select uri_hash from repeated union all select uri_hash from known) several using (uri_hash)
    union all
    select known.uri_hash, known.server, known.native, known.native_text, known.observed_at, known.first_own
    from known
    union all
    select known.uri_hash, sighting.server, sighting.native, sighting.native_text, sighting.observed_at, sighting.own
    from sighting
    join known on known.id = sighting.post
)
group by uri_hash, server, native;

create or replace temp table first_seen as
select
    seen.uri_hash,
    arg_min(
        {
            server: seen.server, native: seen.native, native_text: seen.native_text, observed_at: seen.observed_at,
            own: seen.own
        },
        {
            d: deleted.server is not null, o: seen.observed_at, s: server.name,
            i: coalesce(seen.native_text, seen.native::varchar)
        }
    ) as f
from seen
join server on server.id = seen.server
left join deleted on deleted.server = seen.server and deleted.native = seen.native
group by seen.uri_hash;
