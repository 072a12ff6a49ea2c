-- A post that its own server deleted never comes back. Other hidden posts wait for a server of higher rank.
insert into tombstone select uri_hash from dead where is_buried;
delete from sighting using dead where sighting.post = dead.id and dead.is_buried;

insert into withheld
select post.* {emptied}
from post
join dead on dead.id = post.id
where not dead.is_buried;

insert into touched select distinct day, null::timestamptz from dead;
delete from topic_hit using dead where topic_hit.post = dead.id;
delete from post using dead where post.id = dead.id;
