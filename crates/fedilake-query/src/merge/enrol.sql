update author set two_faced = true from met where author.hash = met.hash;

insert into author
select (select count(*) from author) + row_number() over () - 1, met.hash, met.name, origin.id, met.bot, met.two_faced
from met
join origin on origin.name = met.domain
where met.new;
