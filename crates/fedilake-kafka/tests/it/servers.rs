//! The list of servers, and the group that shares it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fedilake_kafka::{KafkaSettings, LogBookmarks, Servers, ShareEvent, partition_by_host};
use fedilake_log::{Bookmarks, Log, LogError};
use fedilake_services::{Own, Toxics};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::services::{add_partitions_to, client, open, settings};

/// How long is waited for what must come.
const PATIENCE: Duration = Duration::from_secs(40);
/// Additional time for a replacement after the session: the group meets, and the partition is read.
const SLACK: Duration = Duration::from_secs(6);

type Lists = BTreeMap<u32, BTreeMap<String, String>>;

/// A member of the group, and what it was told.
struct Member {
    lists: watch::Receiver<Lists>,
    leave: CancellationToken,
    task: JoinHandle<()>,
}

impl Member {
    fn join(servers: &Servers, group: &str) -> Member {
        let mut share = servers.share(group).unwrap();
        let (told, lists) = watch::channel(Lists::new());
        let leave = CancellationToken::new();
        let left = leave.clone();
        let task = tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    () = left.cancelled() => break,
                    event = share.next() => event.unwrap(),
                };
                told.send_modify(|lists| take(lists, event));
            }
            share.leave().await;
        });
        Member { lists, leave, task }
    }

    async fn until(&mut self, what: &str, holds: impl FnMut(&Lists) -> bool) -> Lists {
        let held = timeout(PATIENCE, self.lists.wait_for(holds)).await.map(|lists| lists.unwrap().clone());
        held.unwrap_or_else(|_| panic!("not in time: {what}; told of {:?}", self.lists.borrow()))
    }

    async fn leave(self) {
        self.leave.cancel();
        self.task.await.unwrap();
    }
}

/// Each event fits to those before it.
fn take(lists: &mut Lists, event: ShareEvent) {
    match event {
        ShareEvent::Assigned { partition, entries } => assert_eq!(lists.insert(partition, entries), None),
        ShareEvent::Revoked { partition } => assert!(lists.remove(&partition).is_some()),
        ShareEvent::Put { partition, name, value } => {
            let before = lists.get_mut(&partition).unwrap().insert(name, value.clone());
            assert_ne!(before, Some(value));
        }
        ShareEvent::Removed { partition, name } => {
            assert!(lists.get_mut(&partition).unwrap().remove(&name).is_some());
        }
    }
}

fn names(lists: &Lists) -> BTreeSet<String> {
    lists.values().flat_map(BTreeMap::keys).cloned().collect()
}

fn hosts(count: usize) -> Vec<(String, String)> {
    (0..count).map(|nth| (format!("host{nth}.example"), format!("value {nth}"))).collect()
}

#[tokio::test]
async fn what_is_put_is_listed_until_it_is_removed() {
    let Some(settings) = settings("what_is_put_is_listed_until_it_is_removed") else { return };
    let servers = Servers::open(settings.clone()).await.unwrap();
    assert_eq!(servers.list().await.unwrap(), BTreeMap::new());
    assert_eq!(servers.partitions().await.unwrap(), 4);
    servers.put(&hosts(20)).await.unwrap();
    servers.put(&[("host3.example".into(), "another".into())]).await.unwrap();
    assert_eq!(servers.remove(&["host4.example".into(), "no.example".into()]).await.unwrap(), [true, false]);

    let other = Servers::open(settings.clone()).await.unwrap();
    let mut expected: BTreeMap<String, String> = hosts(20).into_iter().collect();
    expected.insert("host3.example".into(), "another".into());
    expected.remove("host4.example");
    assert_eq!(other.list().await.unwrap(), expected);

    let mut member = Member::join(&servers, &settings.topic);
    let lists = member.until("four partitions", |lists| lists.len() == 4).await;
    for (partition, entries) in &lists {
        assert!(entries.keys().all(|name| partition_by_host(&format!("server/{name}"), 4) == *partition));
    }
    assert_eq!(lists.into_values().flatten().collect::<BTreeMap<_, _>>(), expected);
    // Changes are told as they come.
    other.put(&[("new.example".into(), "new".into())]).await.unwrap();
    member.until("the new one", |lists| names(lists).contains("new.example")).await;
    other.remove(&["new.example".into()]).await.unwrap();
    member.until("its end", |lists| !names(lists).contains("new.example")).await;
    member.leave().await;
}

#[tokio::test]
async fn a_bookmark_revives_no_removed_server() {
    let Some(settings) = settings("a_bookmark_revives_no_removed_server") else { return };
    let log = open(&settings).await;
    let servers = Servers::open(settings.clone()).await.unwrap();
    let bookmarks = LogBookmarks::new(servers.clone(), log.id().clone());
    servers.put(&hosts(2)).await.unwrap();
    bookmarks.save("timeline/host0.example/public", "7").await.unwrap();
    servers.remove(&["host0.example".into()]).await.unwrap();
    // A collector that still reads the server saves once more.
    bookmarks.save("timeline/host0.example/public", "8").await.unwrap();

    let servers = Servers::open(settings.clone()).await.unwrap();
    let listed = servers.list().await.unwrap();
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["host1.example"]);
    let mut member = Member::join(&servers, &settings.topic);
    let lists = member.until("four partitions", |lists| lists.len() == 4).await;
    assert_eq!(names(&lists), BTreeSet::from(["host1.example".into()]));
    // One that is listed again goes on where it was.
    servers.put(&hosts(1)).await.unwrap();
    member.until("it is back", |lists| names(lists).len() == 2).await;
    let names = ["timeline/host0.example/public".to_owned(), "timeline/host1.example/public".to_owned()];
    assert_eq!(servers.load_each(&names).await.unwrap(), [Some("8".into()), None]);
    member.leave().await;
}

#[tokio::test]
async fn members_share_the_list_and_one_that_leaves_is_replaced_at_once() {
    let Some(mut settings) = settings("members_share_the_list_and_one_that_leaves_is_replaced_at_once") else { return };
    // Longer than the other takes to get it all.
    settings.session_timeout = 2 * PATIENCE;
    let servers = Servers::open(settings.clone()).await.unwrap();
    servers.put(&hosts(30)).await.unwrap();
    let all: BTreeSet<String> = hosts(30).into_iter().map(|(name, _)| name).collect();
    let mut first = Member::join(&servers, &settings.topic);
    first.until("all of it", |lists| lists.len() == 4).await;
    let mut second = Member::join(&servers, &settings.topic);
    let theirs = second.until("half of it", |lists| lists.len() == 2).await;
    let ours = first.until("the other half", |lists| lists.len() == 2).await;
    assert!(names(&ours).is_disjoint(&names(&theirs)));
    assert_eq!(names(&ours).union(&names(&theirs)).cloned().collect::<BTreeSet<_>>(), all);

    first.leave().await;
    // Within less than the session of the one that left.
    let theirs = second.until("all of it", |lists| lists.len() == 4).await;
    assert_eq!(names(&theirs), all);
    second.leave().await;
}

#[tokio::test]
async fn a_member_that_is_cut_off_is_replaced_within_the_session_and_knows_it() {
    // The broker behind a proxy of the shared set is everybody's.
    let Some(own) = Own::start(&["kafka", "registry", "proxy"]) else { return };
    let services = own.services();
    let direct = KafkaSettings {
        servers_partitions: 4,
        session_timeout: Duration::from_secs(6),
        ..KafkaSettings::new(&services.kafka, "test.cut", services.registry.parse().unwrap())
    };
    let servers = Servers::open(direct.clone()).await.unwrap();
    servers.put(&hosts(30)).await.unwrap();
    let cut = Servers::open(KafkaSettings { brokers: services.kafka_proxied, ..direct.clone() }).await.unwrap();
    let mut first = Member::join(&cut, "test.cut");
    first.until("all of it", |lists| lists.len() == 4).await;
    let mut second = Member::join(&servers, "test.cut");
    second.until("half of it", |lists| lists.len() == 2).await;
    first.until("the other half", |lists| lists.len() == 2).await;

    let proxy = Toxics::at(&services.proxy).proxy("kafka");
    let began = Instant::now();
    proxy.down();
    second.until("all of it", |lists| lists.len() == 4).await;
    let replaced = began.elapsed();
    assert!(replaced < direct.session_timeout + SLACK, "{replaced:?}");
    first.until("the loss", |lists| lists.is_empty()).await;
    let noticed = began.elapsed();
    assert!(noticed < direct.session_timeout + SLACK, "{noticed:?}");
    println!("replaced after {replaced:?}, noticed after {noticed:?}");
    // Changes made meanwhile are visible when the member is back.
    servers.remove(&["host7.example".into()]).await.unwrap();
    proxy.up();
    let ours = first.until("half of it again", |lists| lists.len() == 2).await;
    let theirs = second.until("half of it", |lists| lists.len() == 2).await;
    assert!(names(&ours).is_disjoint(&names(&theirs)));
    assert_eq!(names(&ours).len() + names(&theirs).len(), 29);
    first.leave().await;
    second.leave().await;
}

#[tokio::test]
async fn where_partitions_are_added_nothing_is_lost_and_a_put_moves_it() {
    let Some(settings) = settings("where_partitions_are_added_nothing_is_lost_and_a_put_moves_it") else { return };
    let settings = KafkaSettings { servers_partitions: 1, ..settings };
    let servers = Servers::open(settings.clone()).await.unwrap();
    servers.put(&hosts(20)).await.unwrap();
    servers.save("timeline/host5.example/public", "55").await.unwrap();
    let mut member = Member::join(&servers, &settings.topic);
    member.until("the one partition", |lists| lists.len() == 1).await;
    add_partitions_to(&settings, &settings.servers_topic, 5).await;

    let lists = member.until("the new partitions", |lists| lists.len() == 5).await;
    assert_eq!(lists[&0].len(), 20);
    let other = Servers::open(settings.clone()).await.unwrap();
    assert_eq!(other.list().await.unwrap().len(), 20);
    let bookmark = ["timeline/host5.example/public".to_owned()];
    assert_eq!(other.load_each(&bookmark).await.unwrap(), [Some("55".into())]);
    other.save(&bookmark[0], "56").await.unwrap();
    assert_eq!(other.load_each(&bookmark).await.unwrap(), [Some("56".into())]);

    other.put(&hosts(20)).await.unwrap();
    let is_moved = |lists: &Lists| {
        let at_home = |partition: u32, name: &String| partition_by_host(&format!("server/{name}"), 5) == partition;
        lists.iter().all(|(partition, entries)| entries.keys().all(|name| at_home(*partition, name)))
    };
    let lists = member.until("the move", is_moved).await;
    assert_eq!(names(&lists).len(), 20);
    // From wherever it lies it is removed.
    other.remove(&["host1.example".into(), "host2.example".into()]).await.unwrap();
    member.until("the removal", |lists| names(lists).len() == 18).await;
    assert_eq!(servers.list().await.unwrap().len(), 18);
    member.leave().await;
}

#[tokio::test]
async fn a_bookmark_of_a_newer_version_is_refused_and_one_without_a_version_is_read() {
    let Some(settings) = settings("versions") else { return };
    let log = open(&settings).await;
    let key = "bookmark/a.example/public";
    let partition = partition_by_host(key, settings.servers_partitions) as i32;
    let producer: BaseProducer = client(&settings).create().unwrap();
    let put = |value: &str, version: Option<&str>| {
        let record = BaseRecord::to(&settings.servers_topic).partition(partition).key(key).payload(value);
        let record = match version {
            Some(version) => {
                record.headers(OwnedHeaders::new().insert(Header { key: "fedilake-version", value: Some(version) }))
            }
            None => record,
        };
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(20)).unwrap();
    };
    let bookmarks = crate::services::bookmarks(&settings, &log).await;
    let name = "timeline/a.example/public";
    // As earlier versions wrote it.
    put("7", None);
    assert_eq!(bookmarks.load(name).await.unwrap().as_deref(), Some("7"));
    for version in ["2", "17", "4294967296", "two"] {
        put("what only a newer one can read", Some(version));
        let error = bookmarks.load(name).await.unwrap_err();
        let LogError::Newer { at, why } = &error else { panic!("{error}") };
        assert!(at.contains(&settings.servers_topic) && why.contains(version) && why.contains(key), "{error}");
        assert!(error.to_string().contains("made by a newer fedilake"), "{error}");
        // No other bookmark is hindered.
        assert_eq!(bookmarks.load("timeline/b.example/public").await.unwrap(), None);
    }
    bookmarks.save(name, "8").await.unwrap();
    assert_eq!(bookmarks.load(name).await.unwrap().as_deref(), Some("8"));
    put("9", Some("1"));
    assert_eq!(crate::services::bookmarks(&settings, &log).await.load(name).await.unwrap().as_deref(), Some("9"));
}

#[tokio::test]
async fn all_partitions_of_the_list_are_read_at_once() {
    let Some(mut settings) = settings("all_partitions_of_the_list_are_read_at_once") else { return };
    settings.servers_partitions = 16;
    Servers::open(settings.clone()).await.unwrap().put(&hosts(100)).await.unwrap();
    let servers = Servers::open_to_read(settings.clone()).await.unwrap();
    let began = Instant::now();
    assert_eq!(servers.list().await.unwrap().len(), 100);
    let mut member = Member::join(&servers, &settings.topic);
    member.until("all of it", |lists| lists.len() == 16).await;
    // One after the other, with librdkafka's own waits, they took eight seconds; some 50 ms now.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    member.leave().await;
}
