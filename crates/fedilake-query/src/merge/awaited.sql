-- Posts of the batch that came after their delete.
insert into gone
select stage.uri_hash
from stage
join server on server.name = stage.server
join deleted on deleted.server = server.id and deleted.native = stage.native
where stage.kind = 0;
