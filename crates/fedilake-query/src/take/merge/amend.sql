-- Better spellings of authors whom the lake has, and those who turn out to be two-faced. Figures of days name authors.
insert into touched
select distinct post.day, null::timestamptz
from post
semi join (select id from met where renames and name <> old_name) renamed on renamed.id = post.author;

create or replace temp table amended as
select
    who.id,
    who.two_faced or met.two_faced or met.bot <> who.bot as two_faced,
    who.own or met.own as own,
    met.renames,
    coalesce(who.uri_name, met.old_name) as uri_name,
    met.name,
    hash(met.name) as spelling
from met
join who on who.id = met.id;

update author set two_faced = amended.two_faced, own = amended.own from amended where author.id = amended.id;

update author set uri_name = amended.uri_name, name = amended.name, spelling = amended.spelling
from amended
where author.id = amended.id and amended.renames;

update who set
    two_faced = amended.two_faced, own = amended.own,
    uri_name = case when amended.renames then amended.uri_name else who.uri_name end,
    spelling = case when amended.renames then amended.spelling else who.spelling end
from amended
where who.id = amended.id;
