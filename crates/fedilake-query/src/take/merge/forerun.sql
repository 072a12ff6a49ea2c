-- Known posts with an earlier first sighting than the lake knew.
update post set
    server = change.server, native = change.native, native_text = change.native_text, first_own = change.first_own,
    observed_at = change.observed_at, seen_at = coalesce(post.seen_at, post.observed_at)
from change
where post.id = change.id and change.earlier and change.what in ('recount', 'name', 'see');
