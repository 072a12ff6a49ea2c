-- Known posts whose app a server names for the first time.
update post set app = app.id
from change
join app on app.name = change.named_app
where post.id = change.id and change.what = 'name';

update topic_hit set app = app.id
from change
join app on app.name = change.named_app
where topic_hit.post = change.id and change.what = 'name';

insert into touched select distinct old_day, null::timestamptz from change where what = 'name';
