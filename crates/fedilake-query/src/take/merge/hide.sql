-- A delete names (server, id). Every delete is kept, for posts that the server showed under this id before or shows later.
create or replace temp table fresh as
select server.id as server, stage.native, min(stage.observed_at) as deleted_at
from stage
join server on server.name = stage.server
where stage.kind = 1
group by all;

update deleted set deleted_at = fresh.deleted_at
from fresh
where deleted.server = fresh.server and deleted.native = fresh.native and fresh.deleted_at < deleted.deleted_at;

insert into deleted
select server, native, deleted_at from fresh
anti join deleted using (server, native);
