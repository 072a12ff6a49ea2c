-- Withheld posts that came again in the batch are treated like all others until they are judged.
create or replace temp table returned as select id from withheld semi join (from stage where kind = 0) using (uri_hash);

insert into post select withheld.* from withheld semi join returned using (id);
delete from withheld using returned where withheld.id = returned.id;
