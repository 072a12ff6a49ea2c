-- Numbers new authors.
create or replace temp table enrolled as
select
    ((select count(*) from author) + row_number() over () - 1)::integer as id, met.hash, met.name, hash(met.name) as spelling,
    null::varchar as uri_name, met.own,    origin.id as origin, met.bot, met.two_faced
from met
join origin on origin.name = met.domain
where met.new;

insert into author by name from enrolled;
insert into who by name select * exclude (name) from enrolled;
