-- Known posts that another server turns out to have shown earlier.
update post set
    server = change.server, native = change.native, native_text = change.native_text,
    observed_at = change.observed_at, seen_at = coalesce(post.seen_at, post.observed_at),
    first_stream = change.first_stream, first_offset = change.first_offset
from change
where post.id = change.id and change.earlier and change.what in ('recount', 'name', 'see');
