-- Finds the batch's posts that the lake has, by two narrow columns, because this reads every post.
create or replace temp table matched as
select post.id, post.uri_hash, post.day from post semi join (from stage where kind = 0) using (uri_hash);
