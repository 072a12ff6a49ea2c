-- The posts with an earlier or another first sighting: their sightings are written again.
create or replace temp table moved as
select sighting.post
from sighting
join change on change.id = sighting.post
join seen on seen.uri_hash = change.uri_hash and seen.server = sighting.server and seen.native = sighting.native
where sighting.observed_at <> seen.observed_at or sighting.own <> seen.own
union
select id from change where earlier;
