-- Numbers the language tags that are new to the lake, and looks up their languages.
insert into language
select (select count(*) from language) + row_number() over () - 1, met.name, language_name.name, {counted}
from (select distinct language as name from stage where kind = 0 and language is not null) met
anti join language using (name)
left join language_name on language_name.key = {key};
