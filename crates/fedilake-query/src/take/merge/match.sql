-- Finds the batch's posts that the lake has, by two narrow columns, because this may read every post.
create or replace temp table matched as
select post.id, post.uri_hash, post.day
from (from post where {near}) post
semi join (from stage where kind = 0) using (uri_hash);
