-- The days of a take are open.
update day set sealed = false, touched_at = (select max(observed_at) from post)
where day.day in (select day from touched);

insert into day
select day, false, (select max(observed_at) from post) from (select distinct day from touched) met
anti join day using (day);
