-- Known posts whose content stays. What see.sql needs of the old row is in `known`.
update post set
    edited_at = stage.edited_at, seen_at = stage.observed_at, stream = stage.stream, log_offset = stage.log_offset,
    first_offset = coalesce(post.first_offset, post.log_offset),
    favourites = stage.favourites, reblogs = stage.reblogs, replies = stage.replies,
    author_followers = stage.author_followers
from change
join stage on stage.rowid = change.r
where post.id = change.id and change.what = 'recount';
