-- Rows that stay as they are need no writing.
insert into sighting
select seen.server, seen.native, seen.native_text, seen.post, seen.observed_at
from seen
anti join sighting using (server, native, post);
