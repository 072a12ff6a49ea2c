-- The batch's authors whom the lake has. Looking for them reads the hash of every author, so they are looked for once.
create or replace temp table who as
from author semi join (from stage where kind = 0) staged on staged.author_hash = author.hash;
