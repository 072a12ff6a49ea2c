-- The next sighting becomes the first.
update post set
    server = passed.f.server, native = passed.f.native, native_text = passed.f.native_text, first_own = passed.f.own,
    observed_at = passed.f.observed_at, seen_at = coalesce(post.seen_at, post.observed_at)
from passed
where post.id = passed.id;

update topic_hit set server = passed.f.server from passed where topic_hit.post = passed.id;

insert into touched select distinct day, null::timestamptz from passed where server <> f.server;

delete from sighting using passed
where sighting.post = passed.id and sighting.server = passed.f.server and sighting.native = passed.f.native;

insert into sighting
select server, native, native_text, id, observed_at, first_own from passed;
