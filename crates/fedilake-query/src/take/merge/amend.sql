-- Better spellings of authors whom the lake has, and those who turn out to be two-faced. Figures of days name authors.
insert into touched
select distinct post.day, null::timestamptz
from post
semi join (select who.id from met join who on who.hash = met.hash where met.renames and met.name <> who.name) renamed
    on renamed.id = post.author;

create or replace temp table amended as
select
    who.hash,
    who.two_faced or met.two_faced or met.bot <> who.bot as two_faced,
    who.own or met.own as own,
    case when met.renames then coalesce(who.uri_name, who.name) else who.uri_name end as uri_name,
    case when met.renames then met.name else who.name end as name
from met
join who on who.hash = met.hash;

update author set two_faced = amended.two_faced, own = amended.own, uri_name = amended.uri_name, name = amended.name
from amended
where author.hash = amended.hash;

update who set two_faced = amended.two_faced, own = amended.own, uri_name = amended.uri_name, name = amended.name
from amended
where who.hash = amended.hash;
