-- Names that the lake has not met get their numbers.
insert into server
select (select count(*) from server) + row_number() over () - 1, name
from (select distinct server as name from stage where kind <> 2) met
anti join server using (name);

insert into origin
select (select count(*) from origin) + row_number() over () - 1, name
from (select distinct author_domain as name from stage where kind = 0) met
anti join origin using (name);

insert into language
select (select count(*) from language) + row_number() over () - 1, name
from (select distinct language as name from stage where kind = 0 and language is not null) met
anti join language using (name);

insert into app
select (select count(*) from app) + row_number() over () - 1, name
from (select distinct app as name from stage where kind = 0 and app is not null) met
anti join app using (name);

create or replace temp table met as
select
    author_hash as hash, any_value(author) as name, any_value(author_domain) as domain,
    bool_or(bot) as bot, bool_or(bot) <> bool_and(bot) as two_faced
from stage
where kind = 0
group by author_hash;

update author set two_faced = true
from met
where author.hash = met.hash and not author.two_faced and (met.two_faced or met.bot <> author.bot);

insert into author
select (select count(*) from author) + row_number() over () - 1, met.hash, met.name, origin.id, met.bot, met.two_faced
from met
join origin on origin.name = met.domain
anti join author on author.hash = met.hash;

insert into rejected
select reason, count(*) from stage where kind = 2 group by reason
on conflict do update set rows = rows + excluded.rows;
