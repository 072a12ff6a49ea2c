-- title = "Which media do posts have, and are they described?"
-- help = "attachments by kind, and how many have a description"
-- tab = "conversation"
-- order = 4
-- unit = "attachments"
-- of = "attachments of posts that match the filter"
-- caption = """
-- Posts with media by the kind of their attachments: posts that mix kinds are a row of their own, because the number of described
-- attachments is known for a post and not for each of its attachments. A description (alt text) is counted if there is one, however useful it is.
-- gifv is a silent video that loops; unknown is what a server did not name or could not fetch. The attachments are those of the newest
-- version of a post, in which a description may have been added later. Links, link previews, custom emoji and polls are not media.
-- """
-- marks = [{ kind = "bars", x = "media", y = "described_percent" }, { kind = "table" }]
-- note = "{with_media} of {posts} posts have media; {described} of {attachments} attachments are described"

with
    -- Few lists are distinct.
    list as (
        select media_types, count(*) as posts, sum(media) as attachments, sum(coalesce(media_described, 0)) as described
        from {posts}
        where media > 0
        group by media_types
    ),
    named as (
        select
            case len(list_distinct(media_types)) when 1 then list_distinct(media_types)[1] when 0 then 'unknown' else 'several kinds' end as media,
            posts, attachments, described
        from list
    )
select
    coalesce(media, 'unknown') as media,
    sum(posts)::bigint as posts,
    sum(attachments)::bigint as attachments,
    sum(described)::bigint as described,
    100.0::double * sum(described) / sum(attachments) as described_percent
from named
group by 1
order by attachments desc, 1
limit 20
;
select
    count(*) filter (where media > 0)::bigint as with_media,
    count(*)::bigint as posts,
    coalesce(sum(media_described), 0)::bigint as described,
    coalesce(sum(media), 0)::bigint as attachments
from {posts}
