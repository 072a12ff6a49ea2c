-- Updating a text would make the next checkpoint slow, so the old row is deleted here, and insert.sql writes the new one.
insert into touched select distinct old_day, null::timestamptz from change where what = 'rewrite';
delete from post using change where post.id = change.id and change.what = 'rewrite';
delete from topic_hit using change where topic_hit.post = change.id and change.what = 'rewrite';
