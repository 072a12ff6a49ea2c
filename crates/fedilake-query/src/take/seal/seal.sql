-- Writes the figures of the open days in `sealing`. Rows are ordered, so that a range of days is a range of rows, and a language or a
-- server of a day is, too, in the tables that are filtered by it.
insert into author_day
select day, author, origin, bot, count(*)
from post where {days} group by day, author, origin, bot order by day, author;

insert into author_detail
select day, author, origin, bot, language, server, app, count(*)
from post where {days} group by day, author, origin, bot, language, server, app order by day, language, server, author;

insert into origin_day
select day, origin, bot, count(*)
from post where {days} group by day, origin, bot order by day, origin;

insert into origin_detail
select day, origin, language, server, app, bot, count(*)
from post where {days} group by day, origin, language, server, app, bot order by day, origin;

insert into usage_day
select
    day, language, server, app, bot, count(*),
    sum(characters), min(characters), max(characters), min(created_at), max(created_at)
from post where {days} group by day, language, server, app, bot order by day, server, language;

insert into hour_cell
select day, hour, language, app, bot, count(*)
from post where {days} group by day, hour, language, app, bot order by day, hour, language;

insert into hour_detail
select day, hour, language, server, app, bot, count(*)
from post where {days} group by day, hour, language, server, app, bot order by day, hour, server, language;

insert into length_cell
select day, language, bot, characters, count(*)
from post where {days} group by day, language, bot, characters order by day, language, characters;

insert into length_detail
select day, language, bot, characters, server, app, count(*)
from post where {days} group by day, language, bot, characters, server, app order by day, server, language, characters;

insert into day_figures by name
{figures};

insert into day_figures by name
select * replace (day // 2 as day), day % 2 = 1 as bot from ({figures_of_bots});

insert into day_figures by name
select * replace (day >> 32 as day), day & 4294967295 as server from ({figures_of_servers});

update day set sealed = true where {days};
