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
