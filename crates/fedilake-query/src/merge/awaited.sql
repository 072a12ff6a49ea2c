-- Posts of the batch that came after their delete. The lake has those that another server showed before.
insert into gone
select stage.uri_hash, matched.id, matched.day
from stage
join server on server.name = stage.server
join deleted on deleted.server = server.id and deleted.native = stage.native
left join matched on matched.uri_hash = stage.uri_hash
where stage.kind = 0;
