-- The posts that are gone go, and no later copy or edit brings them back.
insert into tombstone select distinct uri_hash from gone anti join tombstone using (uri_hash);

create or replace temp table dead as select distinct post as id, day from gone where post is not null;

insert into touched select distinct day, null::timestamptz from dead;
delete from post using dead where post.id = dead.id;
delete from sighting using dead where sighting.post = dead.id;
delete from topic_hit using dead where topic_hit.post = dead.id;
