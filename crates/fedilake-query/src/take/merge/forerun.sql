-- Known posts with an earlier first sighting than the lake knew.
update post set
    server = change.server, native = change.native, native_text = change.native_text, first_own = change.first_own,
    observed_at = change.observed_at, seen_at = coalesce(post.seen_at, post.observed_at)
from change
where post.id = change.id and change.earlier and change.what in ('recount', 'name', 'see');

update topic_hit set server = change.server
from change
where topic_hit.post = change.id and change.earlier and change.what in ('recount', 'name', 'see');

insert into touched
select distinct change.old_day, null::timestamptz
from change
join known on known.id = change.id
where change.earlier and change.what in ('recount', 'name', 'see') and change.server <> known.server;
