-- Language tags that the lake has not met get their numbers, and the languages that they name.
insert into language
select (select count(*) from language) + row_number() over () - 1, met.name, language_name.name, {counted}
from (select distinct language as name from stage where kind = 0 and language is not null) met
anti join language using (name)
left join language_name on language_name.key = {key};
