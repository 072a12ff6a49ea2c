//! The contract of `mastodon_toot`: its columns and types, and statements in the manner of the talk's notebook, on the
//! lake and on plain files.

use fedilake_query::views;

use crate::support::{Bench, Event};

fn bench() -> Bench {
    let mut bench = Bench::new();
    let post = |n: i64| Event::created("alpha.test", n, "ann@one.test", n * 40_000);
    let odd = Event {
        id: "not-a-number".to_owned(),
        language: None,
        url: Some("https://two.test/@bob/2".to_owned()),
        author: "bob@two.test".to_owned(),
        ..post(2)
    };
    let bot = Event {
        bot: Some(true),
        language: Some("pt-BR".to_owned()),
        text: "A Balloon!".to_owned(),
        favourites: 3,
        lists: Some(vec![Some("a".to_owned()), Some("b".to_owned())]),
        ..post(3)
    };
    bench.take(&[Event { app: Some("Tusky".to_owned()), ..post(1) }, odd, bot]);
    bench
}

/// The same rows from the lake and from the plain files.
fn both(bench: &Bench, sql: &str) -> Vec<Vec<String>> {
    let rows = bench.ask(sql);
    assert_eq!(rows, bench.plain(sql), "{sql}");
    rows
}

#[test]
fn the_columns_have_the_names_order_and_types_of_the_contract() {
    let bench = bench();
    let columns: Vec<String> =
        both(&bench, "select column_name || ' ' || column_type from (describe mastodon_toot)").concat();
    let contract = "m_id BIGINT, created_at INTEGER, created_at_str VARCHAR, created_tz TIMESTAMP WITH TIME ZONE, app VARCHAR, url VARCHAR, \
        from_instance VARCHAR, base_url VARCHAR, language VARCHAR, favourites INTEGER, username VARCHAR, bot BOOLEAN, tags INTEGER, \
        characters INTEGER, words INTEGER, mastodon_text VARCHAR, language_name VARCHAR";
    assert_eq!(columns.join(", "), contract);
}

#[test]
fn every_view_has_the_same_columns_and_types_on_the_lake_and_on_files() {
    let bench = bench();
    for view in views::DOCUMENTED {
        assert!(!both(&bench, &format!("select column_name, column_type from (describe {view})")).is_empty());
    }
}

#[test]
fn the_values_are_the_contracts() {
    let bench = bench();
    let rows = both(
        &bench,
        "select * exclude (created_tz, mastodon_text), epoch_ms(created_tz) from mastodon_toot order by created_at",
    );
    let expected = [
        "1001|1675422402|2023 02 03 11:06:42|Tusky|https://one.test/@ann/1|one.test|https://alpha.test|en|0|ann|false|0|6|2|English|1675422402000",
        "|1675462402|2023 02 03 22:13:22||https://two.test/@bob/2|two.test|https://alpha.test|unknown|0|bob|false|0|6|2||1675462402000",
        "1003|1675502402|2023 02 04 09:20:02||https://one.test/@ann/3|one.test|https://alpha.test|pt-BR|3|ann|true|2|10|2|Portuguese|1675502402000",
    ];
    assert_eq!(rows.iter().map(|row| row.join("|")).collect::<Vec<_>>(), expected);
}

#[test]
fn bot_compares_with_the_talks_strings_and_with_booleans() {
    let bench = bench();
    for (condition, count) in [
        ("bot = 'True'", "1"),
        ("bot = 'False'", "2"),
        ("bot in ('True')", "1"),
        ("bot <> 'True'", "2"),
        ("bot = true", "1"),
        ("bot = false", "2"),
        ("bot", "1"),
        ("not bot", "2"),
        ("case when bot = 'False' then true else false end", "2"),
    ] {
        assert_eq!(
            both(&bench, &format!("select count(*) from mastodon_toot where {condition}")),
            [[count]],
            "{condition}"
        );
    }
}

#[test]
fn statements_of_the_talk_run() {
    let mut bench = bench();
    // ann's second post of the day makes her the most frequent.
    bench.take(&[Event { language: None, ..Event::created("alpha.test", 4, "ann@one.test", 0) }]);
    let daily = "select strftime(created_tz, '%Y/%m/%d %a') as day, count(*) as posts, count(distinct username) as users, \
        count(distinct from_instance) as servers, mode(case when bot = 'False' then username end) as freq_non_bot, \
        mode(case when bot = 'True' then username end) as freq_bot, mode(base_url) as freq_host \
        from mastodon_toot group by 1 order by 1";
    assert_eq!(
        both(&bench, daily),
        [
            ["2023/02/03 Fri", "3", "2", "2", "ann", "", "https://alpha.test"],
            ["2023/02/04 Sat", "1", "1", "1", "", "ann", "https://alpha.test"],
        ]
        .map(|row| row.map(str::to_owned).to_vec())
    );
    let statistics = "select count(*) as posts, count(distinct username) as users, count(distinct from_instance) as servers, \
        count(distinct language) as languages, min(characters), avg(characters)::int, max(characters), sum(characters)::bigint from mastodon_toot";
    assert_eq!(both(&bench, statistics), [["4", "2", "2", "3", "6", "7", "10", "28"]]);
    for (sql, rows) in [
        (
            "select app, count(*) from mastodon_toot where app is not null and app <> '' and bot = 'False' group by 1 order by 2 desc limit 10",
            1,
        ),
        (
            "select strftime(created_tz, '%H') as hr, strftime(created_tz, '%d') as d, count(*) from mastodon_toot group by all order by 1, 2",
            4,
        ),
        ("select language_name, count(*) from mastodon_toot group by 1 order by 2 desc limit 20", 3),
        ("select language, characters from mastodon_toot where language <> 'unknown' and characters < 200", 2),
        (
            "select date_trunc('day', created_tz) d, sum(case when mastodon_text ilike '%balloon%' then 1 else 0 end)::bigint n from mastodon_toot group by 1",
            2,
        ),
        ("select date_part('hour', created_tz), date_trunc('hour', created_tz) from mastodon_toot", 4),
        ("select count(*) from mastodon_toot where regexp_matches(lower(mastodon_text), 'balloon|earthquake')", 1),
        (
            "select to_timestamp(created_at) = created_tz from mastodon_toot where strptime(created_at_str, '%Y %m %d %H:%M:%S') is not null",
            4,
        ),
        ("from mastodon_toot select username, tags, words, favourites where url like 'https://%' order by m_id", 4),
    ] {
        assert_eq!(both(&bench, &format!("with q as ({sql}) select count(*) from q")), [[rows.to_string()]], "{sql}");
    }
}
