-- Hidden posts wait in `withheld`: for a server of higher rank, or for good. One that its own server deleted never comes back.
insert into withheld
select post.* {emptied}
from post
join dead on dead.id = post.id
where dead.is_buried;

insert into withheld
select post.* {waiting}
from post
join dead on dead.id = post.id
where not dead.is_buried;

insert into touched select distinct day, null::timestamptz from dead;
delete from topic_hit using dead where topic_hit.post = dead.id;
delete from post using dead where post.id = dead.id;
