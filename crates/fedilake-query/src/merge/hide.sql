-- A delete names (server, id). It hides every post that this server showed under this id, before or after.
insert into deleted
select distinct server.id, stage.native
from stage
join server on server.name = stage.server
anti join deleted on deleted.server = server.id and deleted.native = stage.native
where stage.kind = 1;

create or replace temp table gone as
select distinct uri_hash
from (
    select post.uri_hash
    from stage
    join server on server.name = stage.server
    join post on post.server = server.id and post.native = stage.native
    where stage.kind = 1
    union all
    select post.uri_hash
    from stage
    join server on server.name = stage.server
    join sighting on sighting.server = server.id and sighting.native = stage.native
    join post on post.id = sighting.post
    where stage.kind = 1
    union all
    select stage.uri_hash
    from stage
    join server on server.name = stage.server
    join deleted on deleted.server = server.id and deleted.native = stage.native
    where stage.kind = 0
)
anti join tombstone using (uri_hash);
