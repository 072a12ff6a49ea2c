-- Writes the figures of the open days in `sealing`. Rows are ordered, so that a range of days is a range of rows, and a language, a
-- server or an origin of a day is, too, in the tables that are filtered by it. What a table has of another one is counted from there.
insert into author_detail
select day, author, origin, bot, language, server, app, count(*)
from post where {days} group by day, author, origin, bot, language, server, app order by day, language, server, author;

insert into author_day
select day, author, origin, bot, sum(posts)
from author_detail where {days} group by day, author, origin, bot order by day, author;

insert into origin_day
select
    day, origin, bot, count(*),
    sum(characters), min(characters), max(characters), min(created_at), max(created_at)
from post where {days} group by day, origin, bot order by day, origin;

insert into origin_hour
select day, origin, hour, bot, count(*)
from post where {days} group by day, origin, hour, bot order by day, origin, hour;

insert into origin_length
select day, origin, language, bot, characters, count(*)
from post where {days} group by day, origin, language, bot, characters order by day, origin, language, characters;

insert into origin_detail
select day, origin, language, server, app, bot, count(*)
from post where {days} group by day, origin, language, server, app, bot order by day, origin;

insert into usage_day
select
    day, language, server, app, bot, count(*),
    sum(characters), min(characters), max(characters), min(created_at), max(created_at)
from post where {days} group by day, language, server, app, bot order by day, server, language;

insert into hour_detail
select day, hour, language, server, app, bot, count(*)
from post where {days} group by day, hour, language, server, app, bot order by day, hour, server, language;

insert into hour_cell
select day, hour, language, app, bot, sum(posts)
from hour_detail where {days} group by day, hour, language, app, bot order by day, hour, language;

insert into length_detail
select day, language, bot, characters, server, app, count(*)
from post where {days} group by day, language, bot, characters, server, app order by day, server, language, characters;

insert into length_cell
select day, language, bot, characters, sum(posts)
from length_detail where {days} group by day, language, bot, characters order by day, language, characters;

insert into day_figures by name
{figures};

-- Tags that name the same language count together. `number` is one of their numbers.
create or replace temp table spoken as
select id as language, min(id) over (partition by counted) as number, counted from language where counted is not null;

insert into day_figures by name
with
    counted as ({figures_of_parts}),
    parted as (select *, (day % 4294967296 + 4294967296) % 4294967296 as part from counted),
    told as (select *, part // 1073741824 as common, part % 1073741824 as which from parted)
select
    told.* exclude (part, common, which) replace ((told.day - part) // 4294967296 as day),
    case common when 0 then which = 1 when 3 then which % 2 = 1 end as bot,
    case common when 1 then which end as server,
    case common when 2 then tongue.counted when 3 then tongue.counted end as language
from told
left join (select distinct number, counted from spoken) tongue on tongue.number = case common when 2 then which when 3 then which // 2 end;

update day set sealed = true where {days};
