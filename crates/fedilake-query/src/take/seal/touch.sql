-- The days of a take are open, and stay open until newer posts are seen than any before.
create or replace temp table newest as
select greatest((select max(touched_at) from day), (select max(observed_at) from touched)) as seen_at;

update day set sealed = false, touched_at = newest.seen_at
from newest
where day.day in (select day from touched);

insert into day
select met.day, false, newest.seen_at
from (select distinct day from touched) met
anti join day using (day)
cross join newest;
