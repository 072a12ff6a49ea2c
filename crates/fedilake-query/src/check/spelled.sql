-- Adds the spellings of the authors of some files, each once.
insert into internal.spelled
select 0, person, author, bool_or(from_origin)
from internal.source
where sort = 0
group by person, author;
