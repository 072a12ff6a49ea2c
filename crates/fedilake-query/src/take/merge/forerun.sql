-- Known posts with an earlier first sighting than the lake knew.
create or replace temp table forerun as
select
    change.id, known.day, change.server, change.native, change.native_text, change.first_own, change.observed_at,
    change.server <> known.server as elsewhere
from change
join known on known.id = change.id
where change.earlier and change.what in ('recount', 'name', 'see');

update post set
    server = forerun.server, native = forerun.native, native_text = forerun.native_text, first_own = forerun.first_own,
    observed_at = forerun.observed_at, seen_at = coalesce(post.seen_at, post.observed_at)
from forerun
where post.id = forerun.id;

update topic_hit set server = forerun.server from forerun where topic_hit.post = forerun.id;

insert into touched select distinct day, null::timestamptz from forerun where elsewhere;
