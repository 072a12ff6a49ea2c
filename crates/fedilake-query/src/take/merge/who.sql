-- The batch's authors whom the lake has. Looking for them reads the hash of every author, so they are looked for once. Reading the names of
-- so many takes six times as long as all else: only of those whom the batch spells otherwise.
create or replace temp table who as
select id, hash, spelling, uri_name, own, origin, bot, two_faced
from author semi join (from stage where kind = 0) staged on staged.author_hash = author.hash;

create or replace temp table spelled as
select author.id, author.name
from author
semi join (
    select distinct who.id
    from who join (from stage where kind = 0) staged on staged.author_hash = who.hash and staged.author_spelling <> who.spelling
) otherwise using (id);
