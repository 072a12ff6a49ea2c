-- Known posts whose content stays. What sight.sql needs of the old row is in `known`.
update post set
    edited_at = stage.edited_at, seen_at = stage.observed_at, stream = stage.stream, log_offset = stage.log_offset,
    favourites = stage.favourites, reblogs = stage.reblogs, replies = stage.replies,
    author_followers = stage.author_followers
from change
join stage on stage.rowid = change.r
where post.id = change.id and change.what = 'recount';

update post set app = app.id
from change
join app on app.name = change.app
where post.id = change.id and change.what = 'name';

update post set
    server = change.server, native = change.native, native_text = change.native_text,
    observed_at = change.observed_at, seen_at = coalesce(post.seen_at, post.observed_at),
    first_stream = change.first_stream, first_offset = change.first_offset
from change
where post.id = change.id and change.earlier and change.what in ('recount', 'name', 'see');

insert into touched select distinct old_day, null::timestamptz from change where what = 'name';
