-- Withheld posts that came again in the batch are treated like all others until they are judged.
insert into post select withheld.* from withheld semi join returned using (id);
delete from withheld using returned where withheld.id = returned.id;
