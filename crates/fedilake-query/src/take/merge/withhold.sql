-- Hidden posts wait in `withheld`: for a server of higher rank, or for good. One that its own server deleted never comes back.
insert into withheld
select post.* {as}
from post
join dead on dead.id = post.id
where {which};
