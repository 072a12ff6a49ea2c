//! Properties of bookmarks.

use super::Subject;

pub(super) async fn a_bookmark_is_what_was_saved_last(subject: impl Subject) {
    let bookmarks = subject.bookmarks();
    assert_eq!(bookmarks.load("a").await.expect("load"), None);
    for value in ["1", "2", "", "a longer value with ünïcode", "2"] {
        bookmarks.save("a", value).await.expect("save");
        assert_eq!(bookmarks.load("a").await.expect("load").as_deref(), Some(value));
    }
}

pub(super) async fn bookmarks_are_found_by_the_beginning_of_their_names(subject: impl Subject) {
    let bookmarks = subject.bookmarks();
    assert!(bookmarks.named("timeline/").await.expect("list").is_empty());
    let names = ["timeline/a.example/local", "timeline/a.example/public", "timeline/b.example/public"];
    for name in names.into_iter().chain(["replay/a", "replay/b", "timelines"]) {
        bookmarks.save(name, "1").await.expect("save");
    }
    bookmarks.save(names[1], "2").await.expect("save");
    let found = bookmarks.named("timeline/").await.expect("list");
    assert_eq!(found, names.into_iter().zip(["1", "2", "1"]).map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
    let found = bookmarks.named("replay/").await.expect("list");
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["replay/a", "replay/b"]);
    let prefixes = ["timeline/b", "replay/", "timeline/c", "timeline/a.example/"].map(str::to_owned);
    let each = bookmarks.named_each(&prefixes).await.expect("list each");
    let names: Vec<Vec<&str>> = each.iter().map(|found| found.keys().map(String::as_str).collect()).collect();
    let (local, public) = ("timeline/a.example/local", "timeline/a.example/public");
    let expected: [&[&str]; 4] = [&["timeline/b.example/public"], &["replay/a", "replay/b"], &[], &[local, public]];
    assert_eq!(names, expected);
    assert_eq!(each[3][public], "2");
    assert!(bookmarks.named_each(&[]).await.expect("list none").is_empty());
    let names = ["replay/b", "replay/c", "timeline/a.example/public", "replay"].map(str::to_owned);
    let each = bookmarks.load_each(&names).await.expect("load each");
    assert_eq!(each, [Some("1".to_owned()), None, Some("2".to_owned()), None]);
    assert!(bookmarks.load_each(&[]).await.expect("load none").is_empty());
}

pub(super) async fn bookmarks_do_not_disturb_each_other(subject: impl Subject) {
    let bookmarks = subject.bookmarks();
    let names = ["", "a", "a/b", "a/b/public", "id", "start", "bücher.example/public:local"];
    for name in names {
        bookmarks.save(name, &format!("value of {name}")).await.expect("save");
    }
    for name in names {
        assert_eq!(bookmarks.load(name).await.expect("load"), Some(format!("value of {name}")));
    }
    assert_eq!(bookmarks.load("b").await.expect("load"), None);
}
