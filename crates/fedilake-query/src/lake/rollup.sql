-- Every day that has posts, and whether the tables below have its figures. A day that changes is open again: its rows there are
-- deleted, and reports read its posts. The figures are exact: sums add up, and distinct authors and quantiles are made of the
-- authors and the lengths themselves. The larger tables, `_detail`, are for filters that name what the smaller ones lack. `touched_at` is
-- the newest observed_at that the lake had seen when the day last changed.
create table day (day integer, sealed boolean, touched_at timestamptz);

-- Of all posts of the day, of those of bots or of people, of those that one server showed first, of those in one language (its name in
-- reports), or of the language's bots or people. What a row is not of is null.
create table day_figures (
    day integer, bot boolean, server integer, language varchar, posts bigint, users bigint, origins bigint,
    most_frequent_nonbot varchar, most_frequent_bot varchar, most_frequent_host varchar
);
create table author_day (day integer, author integer, origin integer, bot boolean, posts integer);
create table author_detail (
    day integer, author integer, origin integer, bot boolean, language integer, server integer, app integer, posts integer
);
-- The characters are those of all its posts together, of the shortest and of the longest one.
create table origin_day (
    day integer, origin integer, bot boolean, posts integer,
    characters bigint, shortest integer, longest integer, first_at timestamptz, last_at timestamptz
);
create table origin_detail (
    day integer, origin integer, language integer, server integer, app integer, bot boolean, posts integer
);
create table origin_hour (day integer, origin integer, hour integer, bot boolean, posts integer);
create table origin_length (day integer, origin integer, language integer, bot boolean, characters integer, posts integer);
-- Characters as in origin_day.
create table usage_day (
    day integer, language integer, server integer, app integer, bot boolean, posts integer,
    characters bigint, shortest integer, longest integer, first_at timestamptz, last_at timestamptz
);
create table hour_cell (day integer, hour integer, language integer, app integer, bot boolean, posts integer);
create table hour_detail (
    day integer, hour integer, language integer, server integer, app integer, bot boolean, posts integer
);
create table length_cell (day integer, language integer, bot boolean, characters integer, posts integer);
create table length_detail (
    day integer, language integer, bot boolean, characters integer, server integer, app integer, posts integer
);
