-- Unchanged rows need not be written. They are found first: an anti join would build a hash table of every sighting.
create or replace temp table further as
select seen.server, seen.native, seen.native_text, change.id as post, seen.observed_at, seen.own
from seen
join change on change.uri_hash = seen.uri_hash and (change.server <> seen.server or change.native <> seen.native);

create or replace temp table unchanged as
select server, native, post from sighting semi join further using (server, native, post);

insert into sighting by name
from further anti join unchanged using (server, native, post);
