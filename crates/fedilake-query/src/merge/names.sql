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
