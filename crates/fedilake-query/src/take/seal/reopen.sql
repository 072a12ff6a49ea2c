-- Deletes the figures of sealed days that a take touched.
create or replace temp table opened as select distinct day from touched;

delete from day_figures where day in (select day from opened semi join (from day where sealed) using (day));
delete from author_day where day in (select day from opened semi join (from day where sealed) using (day));
delete from author_detail where day in (select day from opened semi join (from day where sealed) using (day));
delete from origin_day where day in (select day from opened semi join (from day where sealed) using (day));
delete from hour_cell where day in (select day from opened semi join (from day where sealed) using (day));
delete from length_detail where day in (select day from opened semi join (from day where sealed) using (day));
delete from hour_detail where day in (select day from opened semi join (from day where sealed) using (day));
delete from length_cell where day in (select day from opened semi join (from day where sealed) using (day));

