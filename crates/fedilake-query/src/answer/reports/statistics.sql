-- title = "How much was collected?"
-- help = "posts, authors, origins, languages and characters in one row"
-- tab = "overview"
-- order = 1
-- unit = "posts, accounts, servers, languages, characters"
-- of = "posts that match the filter"
-- caption = """
-- A post counts once, however many servers showed it, in its newest version; deleted posts do not count. Users are accounts
-- (name@server): one person may have several, and a person who only reads is never seen. Origins are the servers that these accounts
-- live on. Languages are those that the authors' apps gave; posts without one count together as one more. Characters are those of the
-- text without its content warning and without HTML. The dates are the authors' claims. Posts that no server we read has shown, and
-- those of people who ask not to be collected, are not here, so these figures are of a sample of the network, not of all of it.
-- """
-- marks = [{ kind = "figures", columns = ["posts", "users", "origins", "languages", "characters_mean"] }, { kind = "table" }]
-- counts_authors = true

select
    coalesce(sum(posts), 0)::bigint as posts,
    (select count(*) from (select author from {authors} group by author)) as users,
    (select count(*) from (select origin from {origins} group by origin)) as origins,
    (
        select count(distinct coalesce(language.counted, 'unknown'))
        from (select language from {usage} group by language) met
        left join {language} on language.id = met.language
    ) as languages,
    min(shortest) as characters_min,
    sum(characters)::double / sum(posts) as characters_mean,
    max(longest) as characters_max,
    coalesce(sum(characters), 0)::bigint as characters_sum,
    min(first_at) as first_created_at,
    max(last_at) as last_created_at
from {sizes}
