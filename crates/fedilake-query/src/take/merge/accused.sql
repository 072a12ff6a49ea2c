-- The posts that a delete may hide or show: those that a delete of the batch names, those of the batch that an earlier delete
-- names, and withheld posts that came again.
create or replace temp table accused as
select post.id from fresh join post using (server, native)
union
select sighting.post from fresh join sighting using (server, native)
union
select change.id from live join deleted using (server, native) join change using (uri_hash)
union
select id from returned;
