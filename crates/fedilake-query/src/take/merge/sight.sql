-- Unchanged rows need not be written.
insert into sighting
select seen.server, seen.native, seen.native_text, change.id, seen.observed_at, seen.own
from seen
join change on change.uri_hash = seen.uri_hash and (change.server <> seen.server or change.native <> seen.native)
anti join sighting on sighting.server = seen.server and sighting.native = seen.native and sighting.post = change.id;
