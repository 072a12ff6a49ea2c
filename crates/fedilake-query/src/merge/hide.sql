-- A delete names (server, id). It hides every post that this server showed under this id, before (here) or after
-- (awaited.sql).
insert into deleted
select distinct server.id, stage.native
from stage
join server on server.name = stage.server
anti join deleted on deleted.server = server.id and deleted.native = stage.native
where stage.kind = 1;

insert into gone
select post.uri_hash, post.id, post.day
from stage
join server on server.name = stage.server
join post on post.server = server.id and post.native = stage.native
where stage.kind = 1
union all
select post.uri_hash, post.id, post.day
from stage
join server on server.name = stage.server
join sighting on sighting.server = server.id and sighting.native = stage.native
join post on post.id = sighting.post
where stage.kind = 1;
