-- The days of a take are open, and stay so until posts are seen that are newer than all that the lake has seen yet.
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
