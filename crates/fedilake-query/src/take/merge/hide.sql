-- A delete names (server, id). Every delete is kept, for posts that the server showed under this id before or shows later.
create or replace temp table fresh as
select server.id as server, stage.native, min(stage.observed_at) as deleted_at
from stage
join server on server.name = stage.server
where stage.kind = 1
group by all;

-- Those that the lake has are found first, because an anti join would build a hash table of every delete.
create or replace temp table told as
select server, native, deleted_at from deleted semi join fresh using (server, native);

update deleted set deleted_at = sooner.deleted_at
from (
    select fresh.* from fresh join told using (server, native) where fresh.deleted_at < told.deleted_at
) sooner
where deleted.server = sooner.server and deleted.native = sooner.native;

insert into deleted
select server, native, deleted_at from fresh
anti join told using (server, native);
