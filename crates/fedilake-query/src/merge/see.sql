-- Who else showed these posts, under which id: all sightings of the posts that have more than one, but the first.
create or replace temp table seen as
with several as (
    select change.id, change.uri_hash, change.server, change.native
    from change
    where change.what <> 'insert' or change.uri_hash in (from repeated)
)
select seen.server, seen.native, any_value(seen.native_text) as native_text, seen.post, min(seen.observed_at) as observed_at
from (
    select live.server, live.native, live.native_text, several.id as post, live.observed_at
    from live
    join several using (uri_hash)
    union all
    select known.server, known.native, known.native_text, known.id, known.observed_at
    from known
    union all
    select sighting.server, sighting.native, sighting.native_text, sighting.post, sighting.observed_at
    from sighting
    join several on several.id = sighting.post
) seen
anti join several as first on first.id = seen.post and first.server = seen.server and first.native = seen.native
group by seen.server, seen.native, seen.post;

-- The posts of which a sighting was earlier than the lake knew, or became the first: theirs are written anew.
create or replace temp table moved as
select sighting.post from sighting join seen using (server, native, post) where sighting.observed_at <> seen.observed_at
union
select id from change where earlier and what <> 'insert';
