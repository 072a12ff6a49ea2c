-- Numbers the authors who are named in figures of days.
insert into touched
select distinct post.day, null::timestamptz
from post
semi join (
    select author.id from met join author on author.hash = met.hash where met.renames and met.name <> author.name
) renamed on renamed.id = post.author;

update author set
    two_faced = author.two_faced or met.two_faced or met.bot <> author.bot,
    own = author.own or met.own,
    uri_name = case when met.renames then coalesce(author.uri_name, author.name) else author.uri_name end,
    name = case when met.renames then met.name else author.name end
from met
where author.hash = met.hash and not met.new;

insert into author
select
    (select count(*) from author) + row_number() over () - 1, met.hash, met.name, null, met.own, origin.id, met.bot,
    met.two_faced
from met
join origin on origin.name = met.domain
where met.new;
