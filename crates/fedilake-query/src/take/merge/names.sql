-- Numbers the names of one sort that are new to the lake.
insert into {table}
select (select count(*) from {table}) + row_number() over () - 1, name
from (select distinct {column} as name from stage where {rows} and {column} is not null) met
anti join {table} using (name);
