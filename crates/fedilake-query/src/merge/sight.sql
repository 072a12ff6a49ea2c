-- Posts that the lake had may have been seen there before.
update sighting set observed_at = seen.observed_at
from seen
where not seen.new and sighting.server = seen.server and sighting.native = seen.native and sighting.post = seen.post
    and seen.observed_at < sighting.observed_at;

insert into sighting
select server, native, native_text, post, observed_at
from seen
anti join sighting using (server, native, post)
where not seen.new;
