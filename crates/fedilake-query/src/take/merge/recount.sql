-- Known posts whose content stays the same. `known` has the values of the old row that sight.sql needs.
update post set
    own = stage.own, edited_at = stage.edited_at, seen_at = stage.observed_at, seen_server = change.seen_server,
    log_partition = stage.log_partition, log_offset = stage.log_offset,
    favourites = stage.favourites, reblogs = stage.reblogs, replies = stage.replies,
    author_followers = stage.author_followers,
    reply_native = stage.reply_native, reply_native_text = stage.reply_native_text
from change
join stage on stage.rowid = change.r
where post.id = change.id and change.what = 'recount';
