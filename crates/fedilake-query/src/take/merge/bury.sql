-- Hidden posts, which wait in `withheld` by now, leave the other tables.
insert into touched select distinct day, null::timestamptz from dead;
delete from topic_hit using dead where topic_hit.post = dead.id;
delete from post using dead where post.id = dead.id;
