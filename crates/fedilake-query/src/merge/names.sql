-- Names of one sort that the lake has not met get their numbers.
insert into {table}
select (select count(*) from {table}) + row_number() over () - 1, name
from (select distinct {column} as name from stage where {rows} and {column} is not null) met
anti join {table} using (name);
