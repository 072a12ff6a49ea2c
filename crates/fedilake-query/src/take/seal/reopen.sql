-- Deletes the figures of sealed days that a take touched.
create or replace temp table opened as select distinct day from touched semi join (from day where sealed) using (day);

delete from day_figures where day in (from opened);
delete from author_day where day in (from opened);
delete from author_detail where day in (from opened);
delete from origin_day where day in (from opened);
delete from origin_detail where day in (from opened);
delete from origin_hour where day in (from opened);
delete from origin_length where day in (from opened);
delete from usage_day where day in (from opened);
delete from hour_cell where day in (from opened);
delete from length_detail where day in (from opened);
delete from hour_detail where day in (from opened);
delete from length_cell where day in (from opened);
