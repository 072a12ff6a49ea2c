//! Access rules: each role needs the rights that docs/cluster.md lists, and says which one it lacks.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use fedilake_kafka::{KafkaError, KafkaLog, KafkaSettings, KafkaSource, SaslMechanism, Security, Servers};
use fedilake_log::{Assignment, Bookmarks, Key, Log, LogEvent, LogWriter, Offset, Partition};
use fedilake_services::Own;
use rdkafka::bindings::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::time::timeout;

use crate::secure::{sasl, settings, tls};
use crate::services::{HEADER, bookmarks, client, schemas, topics};

const PATIENCE: Duration = Duration::from_secs(20);

use rd_kafka_AclOperation_t as Operation;
use rd_kafka_ResourceType_t as Resource;

/// Lets the user `reader` do something; asked of the broker's plaintext listener, whose clients may do everything.
fn allow(admin: &KafkaSettings, resource: Resource, name: &str, operation: Operation) {
    let client: BaseConsumer = client(admin).create().unwrap();
    let [name, principal, host] = [name, "User:reader", "*"].map(|text| CString::new(text).unwrap());
    // SAFETY: each pointer lives until the end of the block, and is destroyed once.
    unsafe {
        let rk = client.client().native_ptr();
        let mut why = [0; 512];
        let mut rule = rd_kafka_AclBinding_new(
            resource,
            name.as_ptr(),
            rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
            principal.as_ptr(),
            host.as_ptr(),
            operation,
            rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            why.as_mut_ptr(),
            why.len(),
        );
        assert!(!rule.is_null());
        let queue = rd_kafka_queue_new(rk);
        rd_kafka_CreateAcls(rk, &mut rule, 1, ptr::null(), queue);
        let event = rd_kafka_queue_poll(queue, 20_000);
        assert!(!event.is_null());
        assert_eq!(rd_kafka_event_error(event), rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
        rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_AclBinding_destroy(rule);
    }
}

/// Asks again while a new rule is not in force, which takes the broker a moment.
async fn in_force<T>(mut ask: impl AsyncFnMut() -> Result<T, KafkaError>) -> T {
    let asked = async {
        loop {
            match ask().await {
                Ok(value) => return value,
                Err(KafkaError::Forbidden { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("the rule is in force")
}

fn forbidden<T>(opened: Result<T, KafkaError>, said: &str) {
    let Err(error) = opened else { panic!("{said} was allowed") };
    assert!(matches!(error, KafkaError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains(said) && error.to_string().contains("hint: "), "{error}");
}

#[tokio::test]
async fn each_role_does_its_work_with_its_rights_and_says_which_one_it_lacks() {
    let Some(own) = Own::start_secure(&["kafka", "registry"]) else { return };
    let (services, secure) = (own.services(), own.secure());
    let topic = "rights";
    let admin = settings(&services.kafka, &services.registry, topic, Security::default());
    let security = Security { tls: tls(&secure.ca_file), sasl: sasl(SaslMechanism::Plain, "reader", "reader-secret") };
    let ours = settings(&secure.sasl, &services.registry, topic, security);
    use Operation::{
        RD_KAFKA_ACL_OPERATION_CREATE as CREATE, RD_KAFKA_ACL_OPERATION_DESCRIBE as DESCRIBE,
        RD_KAFKA_ACL_OPERATION_READ as READ, RD_KAFKA_ACL_OPERATION_WRITE as WRITE,
    };
    use Resource::{RD_KAFKA_RESOURCE_GROUP as GROUP, RD_KAFKA_RESOURCE_TOPIC as TOPIC};
    let servers_topic = admin.servers_topic.clone();

    // Nothing is allowed.
    forbidden(KafkaSource::open(ours.clone(), schemas()).await, "Read on topic rights");
    forbidden(KafkaLog::open(ours.clone(), schemas()).await, "Create and Write");
    forbidden(Servers::open_to_read(ours.clone()).await, "rights.servers");
    assert!(topics(&admin).is_empty());

    // A collector.
    for topic in [topic, &servers_topic] {
        for operation in [DESCRIBE, CREATE, READ, WRITE] {
            allow(&admin, TOPIC, topic, operation);
        }
    }
    allow(&admin, GROUP, "fedilake-reader", READ);
    let log = in_force(async || KafkaLog::open(ours.clone(), schemas()).await).await;
    log.append(vec![(Key("k".into()), [&HEADER[..], b"1"].concat().into())]).await.unwrap();
    let bookmarks = bookmarks(&ours, &log).await;
    bookmarks.save("timeline/a.example/public", "1").await.unwrap();
    assert_eq!(bookmarks.load("timeline/a.example/public").await.unwrap().as_deref(), Some("1"));

    // A replica, on another topic, with Read alone: it implies Describe.
    let other = KafkaSettings { topic: "other".into(), servers_topic: "other.servers".into(), ..admin.clone() };
    let log = KafkaLog::open(other.clone(), schemas()).await.unwrap();
    log.append(vec![(Key("k".into()), [&HEADER[..], b"1"].concat().into())]).await.unwrap();
    allow(&admin, TOPIC, "other", READ);
    let ours = KafkaSettings { topic: "other".into(), servers_topic: "other.servers".into(), ..ours };
    let source = in_force(async || KafkaSource::open(ours.clone(), schemas()).await).await;
    let mut reader = source.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
    reader.seek(Partition(0), Offset(0)).await.unwrap();
    let event = timeout(PATIENCE, reader.next()).await.expect("records come").unwrap();
    assert!(matches!(event, LogEvent::Records(_)), "{event:?}");

    // A sink needs its group beside it, and looks at no setting of the topic that it may not see.
    let source = KafkaSource::open_or_create(ours, schemas()).await.unwrap();
    let mut reader = source.reader(Assignment::Group("rights-sink")).unwrap();
    let error = timeout(PATIENCE, reader.next()).await.expect("a refusal comes").unwrap_err();
    assert!(error.to_string().to_lowercase().contains("group authorization failed"), "{error}");
    allow(&admin, GROUP, "rights-sink", READ);
    let joined = async {
        loop {
            let mut reader = source.reader(Assignment::Group("rights-sink")).unwrap();
            if let Ok(LogEvent::Assigned(Partition(0))) = reader.next().await {
                return;
            }
        }
    };
    timeout(PATIENCE, joined).await.expect("the group is joined");
}
